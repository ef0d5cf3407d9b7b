// All addresses of both families, cut where a prefix begins or ends: within one range no prefix tells two apart.
import { type Address, addressBytes, addressFromBytes, isIpv6, numberOfBytes, type Prefix } from '../model/address.ts';

export type Family = 'IPv4' | 'IPv6';

/** Both ends in. */
export type AddressRange = { family: Family; from: bigint; to: bigint };

const lengths: Record<Family, number> = { IPv4: 4, IPv6: 16 };

export function familyOf(address: Address): Family {
  return isIpv6(address) ? 'IPv6' : 'IPv4';
}

/** The first address of each range, in order; the first is 0. */
export type Cuts = Record<Family, readonly bigint[]>;

export function cutsOf(prefixes: Iterable<Prefix>): Cuts {
  const cuts = { IPv4: new Set([0n]), IPv6: new Set([0n]) };
  for (const { bytes, bits } of prefixes) {
    const family = bytes.length === 4 ? 'IPv4' : 'IPv6';
    const from = numberOfBytes(bytes);
    const after = from + (1n << BigInt(bytes.length * 8 - bits));
    cuts[family].add(from);
    if (after < sizeOf(family)) cuts[family].add(after);
  }
  return { IPv4: inOrder(cuts.IPv4), IPv6: inOrder(cuts.IPv6) };
}

export function rangesOf(cuts: Cuts, families: Iterable<Family>): AddressRange[] {
  const ranges: AddressRange[] = [];
  for (const family of families) {
    const starts = cuts[family];
    for (const [at, from] of starts.entries()) {
      ranges.push({ family, from, to: (starts[at + 1] ?? sizeOf(family)) - 1n });
    }
  }
  return ranges;
}

/** Which range of its family the address lies in. */
export function rangeIndex(cuts: Cuts, address: Address): number {
  const starts = cuts[familyOf(address)];
  const number = numberOfBytes(addressBytes(address));
  let low = 0;
  for (let high = starts.length; high - low > 1; ) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= number) low = middle;
    else high = middle;
  }
  return low;
}

/** Ranges in order, with neighbours put together. */
export function joinedRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const joined: AddressRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && last.family === range.family && last.to + 1n === range.from) last.to = range.to;
    else joined.push({ ...range });
  }
  return joined;
}

/** `10.0.0.0/8` where it is one block, else `10.0.0.1-10.0.0.9`. */
export function rangeText({ family, from, to }: AddressRange): string {
  const first = addressOf(family, from);
  const size = to - from + 1n;
  if ((size & (size - 1n)) === 0n && from % size === 0n) {
    return `${first}/${lengths[family] * 8 - (size.toString(2).length - 1)}`;
  }
  return `${first}-${addressOf(family, to)}`;
}

export function isWhole({ family, from, to }: AddressRange): boolean {
  return from === 0n && to === sizeOf(family) - 1n;
}

export function addressOf(family: Family, number: bigint): Address {
  const bytes = new Uint8Array(lengths[family]);
  let rest = number;
  for (let at = bytes.length - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  const address = addressFromBytes(bytes);
  // As an IPv6 address that holds an IPv4 one, and not as that one: here it is one of the other family's range.
  return family === 'IPv6' && !isIpv6(address) ? (`::ffff:${address}` as Address) : address;
}

function sizeOf(family: Family): bigint {
  return 1n << BigInt(lengths[family] * 8);
}

function inOrder(numbers: Set<bigint>): bigint[] {
  return [...numbers].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
