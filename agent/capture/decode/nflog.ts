// NFLOG: packets that a netfilter rule logged (LINKTYPE_NFLOG). The packet is one of several attributes.
import type { Bytes } from './packet.ts';

const headerBytes = 4;
const attributeBytes = 4;
const PAYLOAD = 9;
/** In the upper byte of a type: nested, and in network order. */
const typeFlags = 0xc0;

/** The offset of the packet, -1 if the frame is corrupt, 0 if it has none. */
export function nflogPacket(bytes: Bytes, start: number, end: number): number {
  if (end - start < headerBytes) return -1;
  let at = start + headerBytes;
  // The byte order is that of the machine that captured. The types are small numbers, with two flags.
  const isLittle = end - at >= attributeBytes && (bytes[at + 3]! & ~typeFlags) === 0;
  while (end - at >= attributeBytes) {
    const length = isLittle ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!;
    const low = isLittle ? bytes[at + 2]! : bytes[at + 3]!;
    const high = isLittle ? bytes[at + 3]! : bytes[at + 2]!;
    const type = low | ((high & ~typeFlags) << 8);
    if (length < attributeBytes) return -1;
    if (type === PAYLOAD) return at + attributeBytes;
    at += (length + 3) & ~3;
  }
  return at === end ? 0 : -1;
}
