// Splits all addresses of both families at the ends of prefixes: all addresses of a range are in the same prefixes.
import { type Address, addressBytes, addressFromBytes, bytesToBigInt, isIpv6, type Prefix } from '../model/address.ts';

export type AddressFamily = 'IPv4' | 'IPv6';

/** Includes both ends. */
export type AddressRange = { family: AddressFamily; from: bigint; to: bigint };

const bytesOfFamily: Record<AddressFamily, number> = { IPv4: 4, IPv6: 16 };

export function addressFamily(address: Address): AddressFamily {
  return isIpv6(address) ? 'IPv6' : 'IPv4';
}

/** The first address of each range, in order. The first range starts at 0. */
export type RangeStarts = Record<AddressFamily, readonly bigint[]>;

export function rangeStartsOf(prefixes: Iterable<Prefix>): RangeStarts {
  const starts = { IPv4: new Set([0n]), IPv6: new Set([0n]) };
  for (const { bytes, bits } of prefixes) {
    const family = bytes.length === 4 ? 'IPv4' : 'IPv6';
    const from = bytesToBigInt(bytes);
    const after = from + (1n << BigInt(bytes.length * 8 - bits));
    starts[family].add(from);
    if (after < sizeOf(family)) starts[family].add(after);
  }
  return { IPv4: inOrder(starts.IPv4), IPv6: inOrder(starts.IPv6) };
}

export function rangesOf(starts: RangeStarts, families: Iterable<AddressFamily>): AddressRange[] {
  const ranges: AddressRange[] = [];
  for (const family of families) {
    const familyStarts = starts[family];
    for (const [at, from] of familyStarts.entries()) {
      ranges.push({ family, from, to: (familyStarts[at + 1] ?? sizeOf(family)) - 1n });
    }
  }
  return ranges;
}

/** The index of the address's range in its family. */
export function rangeIndex(starts: RangeStarts, address: Address): number {
  const familyStarts = starts[addressFamily(address)];
  const number = bytesToBigInt(addressBytes(address));
  let low = 0;
  for (let high = familyStarts.length; high - low > 1; ) {
    const middle = (low + high) >> 1;
    if (familyStarts[middle]! <= number) low = middle;
    else high = middle;
  }
  return low;
}

/** Merges adjacent ranges. `ranges` are in order. */
export function mergedRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const merged: AddressRange[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && last.family === range.family && last.to + 1n === range.from) last.to = range.to;
    else merged.push({ ...range });
  }
  return merged;
}

/** `10.0.0.0/8` if the range is one block, else `10.0.0.1-10.0.0.9`. */
export function rangeText({ family, from, to }: AddressRange): string {
  const first = addressOf(family, from);
  const size = to - from + 1n;
  if ((size & (size - 1n)) === 0n && from % size === 0n) {
    return `${first}/${bytesOfFamily[family] * 8 - (size.toString(2).length - 1)}`;
  }
  return `${first}-${addressOf(family, to)}`;
}

export function isWholeFamily({ family, from, to }: AddressRange): boolean {
  return from === 0n && to === sizeOf(family) - 1n;
}

export function addressOf(family: AddressFamily, number: bigint): Address {
  const bytes = new Uint8Array(bytesOfFamily[family]);
  let rest = number;
  for (let at = bytes.length - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  const address = addressFromBytes(bytes);
  // An IPv4-mapped address here belongs to an IPv6 range, so it stays an IPv6 address.
  return family === 'IPv6' && !isIpv6(address) ? (`::ffff:${address}` as Address) : address;
}

function sizeOf(family: AddressFamily): bigint {
  return 1n << BigInt(bytesOfFamily[family] * 8);
}

function inOrder(numbers: Set<bigint>): bigint[] {
  return [...numbers].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
