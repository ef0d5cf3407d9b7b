// Which capabilities this process lacks. The kernel's error, EPERM or EACCES, does not say which one is missing.
import { readFileSync } from 'node:fs';

/** Bits of linux/capability.h. */
const bits = { NET_ADMIN: 12, NET_RAW: 13, SYS_ADMIN: 21, PERFMON: 38, BPF: 39 } as const;
export type Capability = 'BPF' | 'NET_ADMIN' | 'NET_RAW' | 'PERFMON';
/** SYS_ADMIN includes these: before Linux 5.8 they did not exist. */
const impliedBySysAdmin: readonly Capability[] = ['BPF', 'PERFMON'];

/** The kernel may refuse a call even if none is missing: seccomp or a user namespace can forbid it. */
export function missingCapabilities(needed: readonly Capability[], status = ownStatus()): Capability[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (bit: number) => ((effective >> BigInt(bit)) & 1n) === 1n;
  return needed.filter((name) => !has(bits[name]) && !(impliedBySysAdmin.includes(name) && has(bits.SYS_ADMIN)));
}

/** Throws with the names of the missing ones. */
export function requireCapabilities(needed: readonly Capability[]): void {
  const names = missingCapabilities(needed).map((name) => `CAP_${name}`);
  if (names.length > 0) throw new Error(`${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} missing`);
}

function ownStatus(): string {
  return readFileSync('/proc/self/status', 'utf8');
}
