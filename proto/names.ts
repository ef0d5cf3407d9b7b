// DNS answers on the wire and back. What comes from the wire is checked here, as records are in decode.ts.
import { addressBytes, addressFromBytes, isIpv6 } from '../model/address.ts';
import { isShownName, type NameAnswer } from '../model/name-answer.ts';
import type { WireNames } from './wire.ts';

/** Answers in one batch. */
export const mostNames = 5_000;

export type DecodedNames = { names: NameAnswer[] } | { fault: string };

export function encodeNames(answers: readonly NameAnswer[]): WireNames | null {
  if (answers.length === 0) return null;
  const four = answers.filter(({ address }) => !isIpv6(address));
  const six = answers.filter(({ address }) => isIpv6(address));
  const ordered = [...four, ...six];
  return {
    ipv4: packed(four, 4),
    ipv6: packed(six, 16),
    name: ordered.map(({ name }) => name),
    atUs: ordered.map(({ atUs }) => Math.round(atUs)),
    ttlSeconds: ordered.map(({ ttlSeconds }) => ttlSeconds),
  };
}

/** An older agent sends none. A name that cannot be shown is left out; columns that do not fit each other are a fault. */
export function decodeNames(wire: WireNames | null): DecodedNames {
  if (wire === null) return { names: [] };
  const count = wire.name.length;
  if (count > mostNames) return { fault: `${count} names in one batch, more than ${mostNames}` };
  const fours = wire.ipv4.length / 4;
  const sixes = wire.ipv6.length / 16;
  if (!Number.isInteger(fours) || !Number.isInteger(sixes) || fours + sixes !== count) {
    return { fault: `the addresses of ${count} names do not fit them` };
  }
  if (wire.atUs.length !== count || wire.ttlSeconds.length !== count) {
    return { fault: `the times of ${count} names do not fit them` };
  }
  const names: NameAnswer[] = [];
  for (const [i, name] of wire.name.entries()) {
    if (!isShownName(name)) continue;
    const six = i - fours;
    const bytes = six < 0 ? wire.ipv4.subarray(i * 4, i * 4 + 4) : wire.ipv6.subarray(six * 16, six * 16 + 16);
    names.push({ name, address: addressFromBytes(bytes), atUs: wire.atUs[i]!, ttlSeconds: wire.ttlSeconds[i]! });
  }
  return { names };
}

function packed(answers: readonly NameAnswer[], width: number): Uint8Array {
  const bytes = new Uint8Array(answers.length * width);
  for (const [i, { address }] of answers.entries()) bytes.set(addressBytes(address), i * width);
  return bytes;
}
