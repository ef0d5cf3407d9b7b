// The IPv4 header with options (RFC 791 3.1), of a packet or of a quoted packet in an ICMP error.
import { type Bytes, type Packet, word32 } from './packet.ts';

export const AUTHENTICATION = 51;
/** Frames may be longer than any packet, so the headers have a limit. */
const maxAuthenticationHeaders = 16;
const MAPPED = 0xffff;
export const MORE_FRAGMENTS = 0x2000;
export const FRAGMENT_OFFSET = 0x1fff;

/** Reads addresses and protocol; returns the header's length, or 0 if it is invalid. */
export function header4(bytes: Bytes, at: number, end: number, into: Packet): number {
  if (end - at < 20 || bytes[at]! >> 4 !== 4) return 0;
  const length = (bytes[at]! & 15) * 4;
  if (length < 20 || end - at < length) return 0;
  into.protocol = bytes[at + 9]!;
  into.source[0] = into.source[1] = into.destination[0] = into.destination[1] = 0;
  into.source[2] = into.destination[2] = MAPPED;
  into.source[3] = word32(bytes, at + 12);
  into.destination[3] = word32(bytes, at + 16);
  return length;
}

/**
 * Skips authentication headers (RFC 4302) and sets the protocol after them; returns the offset of its header, or -1 if they
 * are cut off. In IPv6, they are extension headers.
 */
export function afterAuthentication(bytes: Bytes, start: number, end: number, into: Packet): number {
  let at = start;
  for (let headers = 0; headers < maxAuthenticationHeaders && into.protocol === AUTHENTICATION; headers++) {
    if (end - at < 8) return -1;
    into.protocol = bytes[at]!;
    at += (bytes[at + 1]! + 2) * 4;
  }
  return at > end ? -1 : at;
}
