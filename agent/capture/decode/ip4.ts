// The IPv4 header with options (RFC 791), and fragments of it.
import type { Fragments } from './fragments.ts';
import { type Bytes, type Decoded, type Packet, word16, word32 } from './packet.ts';
import { transport } from './transport.ts';

const MAPPED = 0xffff;
const MORE_FRAGMENTS = 0x2000;
const OFFSET = 0x1fff;

export function ip4(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): Decoded {
  const headerLength = ends4(bytes, at, end, into);
  if (headerLength === 0) return 'corrupt';
  const totalLength = word16(bytes, at + 2);
  // Segmentation offload may leave it 0; Ethernet pads what is shorter than the frame.
  if (totalLength !== 0 && totalLength < headerLength) return 'corrupt';
  const bodyEnd = totalLength === 0 ? end : Math.min(end, at + totalLength);
  const fragment = word16(bytes, at + 6);
  const offset = fragment & OFFSET;
  if (offset === 0 && (fragment & MORE_FRAGMENTS) === 0) {
    return transport(into.protocol, bytes, at + headerLength, bodyEnd, into, 'outer');
  }
  const id = word16(bytes, at + 4);
  if (offset !== 0) return fragments.later(id, into);
  const decoded = transport(into.protocol, bytes, at + headerLength, bodyEnd, into, 'outer');
  if (decoded === 'packet') fragments.first(id, into);
  return decoded;
}

/** Reads addresses and protocol; returns the header's length, 0 where it is none. */
export function ends4(bytes: Bytes, at: number, end: number, into: Packet): number {
  if (end - at < 20 || bytes[at]! >> 4 !== 4) return 0;
  const headerLength = (bytes[at]! & 15) * 4;
  if (headerLength < 20 || end - at < headerLength) return 0;
  into.protocol = bytes[at + 9]!;
  into.source[0] = into.source[1] = into.destination[0] = into.destination[1] = 0;
  into.source[2] = into.destination[2] = MAPPED;
  into.source[3] = word32(bytes, at + 12);
  into.destination[3] = word32(bytes, at + 16);
  return headerLength;
}
