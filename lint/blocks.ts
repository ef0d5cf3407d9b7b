// CIDR blocks as sets of addresses.
import { type Prefix, prefixContainsBytes } from '../model/address.ts';

export type Block = { cidr: Prefix; except: readonly Prefix[] };

export function isPrefixWithin(inner: Prefix, outer: Prefix): boolean {
  return inner.bits >= outer.bits && prefixContainsBytes(outer, inner.bytes);
}

/** Whether the prefixes together contain every address of the block. */
export function prefixesCover(prefixes: readonly Prefix[], block: Prefix): boolean {
  if (prefixes.some((one) => isPrefixWithin(block, one))) return true;
  const inside = prefixes.filter((one) => isPrefixWithin(one, block));
  if (inside.length < 2 || block.bits === block.bytes.length * 8) return false;
  return halvesOf(block).every((half) => prefixesCover(inside, half));
}

/** Whether `except` covers all of the block. */
export function isEmpty({ cidr, except }: Block): boolean {
  return prefixesCover(except, cidr);
}

function halvesOf({ text, bytes, bits }: Prefix): Prefix[] {
  const upper = Uint8Array.from(bytes);
  upper[bits >> 3]! |= 0x80 >> (bits & 7);
  return [
    { text, bytes, bits: bits + 1 },
    { text, bytes: upper, bits: bits + 1 },
  ];
}
