// The IPv6 header and its extension headers (RFC 8200), and fragments of it.
import type { Fragments } from './fragments.ts';
import { type Bytes, type Decoded, type Packet, word16, word32 } from './packet.ts';
import { transport } from './transport.ts';

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const NO_NEXT = 59;
const DESTINATION = 60;
const MOBILITY = 135;
/** More than any sound packet has: a chain that goes on longer is not followed. */
const mostHeaders = 16;

export function ip6(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): Decoded {
  if (!ends6(bytes, at, end, into)) return 'corrupt';
  const payloadLength = word16(bytes, at + 4);
  // 0: a jumbogram, or segmentation offload.
  const bodyEnd = payloadLength === 0 ? end : Math.min(end, at + 40 + payloadLength);
  let next = bytes[at + 6]!;
  let body = at + 40;
  let fragmentId = -1;
  for (let headers = 0; ; headers++) {
    if (next === FRAGMENT) {
      if (bodyEnd - body < 8 || headers > mostHeaders) return 'corrupt';
      const field = word16(bytes, body + 2);
      next = bytes[body]!;
      const id = word32(bytes, body + 4);
      into.protocol = next;
      // RFC 8200 4.5: only the first fragment carries the ports.
      if (field >> 3 !== 0) return fragments.later(id, into);
      if ((field & 1) !== 0) fragmentId = id;
      body += 8;
    } else if (isExtension(next)) {
      if (bodyEnd - body < 8 || headers > mostHeaders) return 'corrupt';
      const length = next === AUTHENTICATION ? (bytes[body + 1]! + 2) * 4 : (bytes[body + 1]! + 1) * 8;
      next = bytes[body]!;
      body += length;
    } else break;
  }
  into.protocol = next;
  if (next === NO_NEXT) return 'packet';
  const decoded = transport(next, bytes, body, bodyEnd, into, 'outer');
  if (decoded === 'packet' && fragmentId >= 0) fragments.first(fragmentId, into);
  return decoded;
}

/** Reads the addresses; false where it is no IPv6 header. */
export function ends6(bytes: Bytes, at: number, end: number, into: Packet): boolean {
  if (end - at < 40 || bytes[at]! >> 4 !== 6) return false;
  for (let i = 0; i < 4; i++) {
    into.source[i] = word32(bytes, at + 8 + i * 4);
    into.destination[i] = word32(bytes, at + 24 + i * 4);
  }
  return true;
}

function isExtension(next: number): boolean {
  return (
    next === HOP_BY_HOP || next === ROUTING || next === DESTINATION || next === AUTHENTICATION || next === MOBILITY
  );
}

/** The transport header inside a quoted IPv6 header: its protocol into `into`, its place returned; -1 where none is. */
export function quotedBody6(bytes: Bytes, at: number, end: number, into: Packet): number {
  let next = bytes[at + 6]!;
  let body = at + 40;
  for (let headers = 0; isExtension(next) || next === FRAGMENT; headers++) {
    if (end - body < 8 || headers > mostHeaders) return -1;
    const length =
      next === FRAGMENT ? 8 : next === AUTHENTICATION ? (bytes[body + 1]! + 2) * 4 : (bytes[body + 1]! + 1) * 8;
    next = bytes[body]!;
    body += length;
  }
  into.protocol = next;
  return body;
}
