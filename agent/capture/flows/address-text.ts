// The text of addresses that are words of a key. Texts are cached, because few addresses are in many records.
import { type Address, addressFromBytes } from '../../../model/address.ts';

/** A power of two. Each address has one slot; a later address with the same slot replaces it. */
const cacheSlots = 16_384;
const cachedKeys = new Uint32Array(cacheSlots * 4);
const cachedTexts = new Array<Address | undefined>(cacheSlots).fill(undefined);
const bytes = new Uint8Array(16);

/** hot, twice a record: `key` has an address of 16 bytes as four words from `at` on. */
export function addressText(key: Uint32Array, at: number): Address {
  const slot = slotOf(key, at);
  const known = cachedTexts[slot];
  if (known !== undefined && isCachedAt(slot, key, at)) return known;
  const text = formatAddress(key, at);
  for (let i = 0; i < 4; i++) cachedKeys[slot * 4 + i] = key[at + i]!;
  cachedTexts[slot] = text;
  return text;
}

function slotOf(key: Uint32Array, at: number): number {
  let hash = 0;
  for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ key[at + i]!, 0x85ebca6b);
  return (hash ^ (hash >>> 16)) & (cacheSlots - 1);
}

function isCachedAt(slot: number, key: Uint32Array, at: number): boolean {
  for (let i = 0; i < 4; i++) if (cachedKeys[slot * 4 + i] !== key[at + i]) return false;
  return true;
}

/** IPv4 addresses are mapped (::ffff:0:0/96); formatting them here is faster than addressFromBytes. */
function formatAddress(key: Uint32Array, at: number): Address {
  if (key[at] === 0 && key[at + 1] === 0 && key[at + 2] === 0xffff) {
    const word = key[at + 3]!;
    return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}` as Address;
  }
  for (let i = 0; i < 16; i++) bytes[i] = key[at + (i >> 2)]! >>> (24 - (i & 3) * 8);
  return addressFromBytes(bytes);
}
