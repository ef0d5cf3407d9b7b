// NFLOG: packets that a netfilter rule logged (LINKTYPE_NFLOG). The packet is one of several attributes.
import type { Bytes } from './packet.ts';

const headerBytes = 4;
const attributeBytes = 4;
const PAYLOAD = 9;

/** The offset of the packet, -1 if the frame is corrupt, 0 if it has none. */
export function nflogPacket(bytes: Bytes, start: number, end: number): number {
  if (end - start < headerBytes) return -1;
  let at = start + headerBytes;
  while (end - at >= attributeBytes) {
    // The byte order is that of the machine that captured. The types are small numbers.
    const isLittle = bytes[at + 3] === 0;
    const length = isLittle ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!;
    const type = isLittle ? bytes[at + 2]! : bytes[at + 3]!;
    if (length < attributeBytes) return -1;
    if (type === PAYLOAD) return at + attributeBytes;
    at += (length + 3) & ~3;
  }
  return at === end ? 0 : -1;
}
