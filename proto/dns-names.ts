// Encodes, decodes and checks DNS answers.
import { addressBytes, addressFromBytes, isIpv6 } from '../model/address.ts';
import { type DnsAnswer, isPrintableName } from '../model/dns-answer.ts';
import type { WireDnsNames } from './wire.ts';

/** Most DNS answers in one batch. */
export const maxDnsNames = 5_000;

export type DecodedDnsNames = { names: DnsAnswer[] } | { fault: string };

export function encodeDnsNames(answers: readonly DnsAnswer[]): WireDnsNames | null {
  if (answers.length === 0) return null;
  const ipv4 = answers.filter(({ address }) => !isIpv6(address));
  const ipv6 = answers.filter(({ address }) => isIpv6(address));
  const ordered = [...ipv4, ...ipv6];
  return {
    ipv4: packed(ipv4, 4),
    ipv6: packed(ipv6, 16),
    name: ordered.map(({ name }) => name),
    atUs: ordered.map(({ atUs }) => Math.round(atUs)),
    ttlSeconds: ordered.map(({ ttlSeconds }) => ttlSeconds),
  };
}

/** Null from an older agent. Names that are not printable are ignored. Columns of different lengths are a fault. */
export function decodeDnsNames(wire: WireDnsNames | null): DecodedDnsNames {
  if (wire === null) return { names: [] };
  const count = wire.name.length;
  if (count > maxDnsNames) return { fault: `${count} names in one batch, more than ${maxDnsNames}` };
  const ipv4Count = wire.ipv4.length / 4;
  const ipv6Count = wire.ipv6.length / 16;
  if (!Number.isInteger(ipv4Count) || !Number.isInteger(ipv6Count) || ipv4Count + ipv6Count !== count) {
    return { fault: `the number of addresses does not match the ${count} names` };
  }
  if (wire.atUs.length !== count || wire.ttlSeconds.length !== count) {
    return { fault: `the number of times does not match the ${count} names` };
  }
  const names: DnsAnswer[] = [];
  for (const [i, name] of wire.name.entries()) {
    if (!isPrintableName(name)) continue;
    const ipv6Index = i - ipv4Count;
    const bytes =
      ipv6Index < 0 ? wire.ipv4.subarray(i * 4, i * 4 + 4) : wire.ipv6.subarray(ipv6Index * 16, ipv6Index * 16 + 16);
    names.push({ name, address: addressFromBytes(bytes), atUs: wire.atUs[i]!, ttlSeconds: wire.ttlSeconds[i]! });
  }
  return { names };
}

function packed(answers: readonly DnsAnswer[], width: number): Uint8Array {
  const bytes = new Uint8Array(answers.length * width);
  for (const [i, { address }] of answers.entries()) bytes.set(addressBytes(address), i * width);
  return bytes;
}
