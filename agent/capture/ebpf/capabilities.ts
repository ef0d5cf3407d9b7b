// Which capabilities this process lacks. A kernel that refuses says EPERM or EACCES, whichever it is that is missing.
import { readFileSync } from 'node:fs';

/** Bits of linux/capability.h. */
const bits = { NET_ADMIN: 12, NET_RAW: 13, SYS_ADMIN: 21, PERFMON: 38, BPF: 39 } as const;
export type Capability = 'BPF' | 'NET_ADMIN' | 'NET_RAW' | 'PERFMON';
/** SYS_ADMIN stands for these, as it did before Linux 5.8 had them. */
const impliedBySysAdmin: readonly Capability[] = ['BPF', 'PERFMON'];

/** What is missing is refused for certain; what is there may be refused all the same, by seccomp or a user namespace. */
export function missingCapabilities(needed: readonly Capability[], status = ownStatus()): Capability[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (bit: number) => ((effective >> BigInt(bit)) & 1n) === 1n;
  return needed.filter((name) => !has(bits[name]) && !(impliedBySysAdmin.includes(name) && has(bits.SYS_ADMIN)));
}

/** Throws with the names of those that are missing. */
export function requireCapabilities(needed: readonly Capability[]): void {
  const names = missingCapabilities(needed).map((name) => `CAP_${name}`);
  if (names.length > 0) throw new Error(`${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} missing`);
}

function ownStatus(): string {
  return readFileSync('/proc/self/status', 'utf8');
}
