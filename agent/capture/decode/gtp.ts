// GTP-U, the tunnels of mobile networks (3GPP TS 29.281 5).
import type { Bytes, DecodeResult, Packet } from './packet.ts';
import { seemsEthernet } from './seems-ethernet.ts';

const headerBytes = 8;
const optionalBytes = 4;
const VERSION_1 = 0x30; // with the bit for GTP, which GTP' does not have
const VERSION_MASK = 0xf0;
const HAS_EXTENSIONS = 0x04;
const HAS_OPTIONAL = 0x07;
const USER_PACKET = 0xff;

/** Other messages, and a payload that is not opened, are a flow like any other. */
export function gtp(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < headerBytes || (bytes[at]! & VERSION_MASK) !== VERSION_1) return 'packet';
  if (bytes[at + 1] !== USER_PACKET) return 'packet';
  const body = bodyOf(bytes, at, end);
  if (body >= end) return 'packet';
  const version = bytes[body]! >> 4;
  if (version === 4 || version === 6) return into.carry('ip', body);
  return seemsEthernet(bytes, body, end) ? into.carry('ethernet', body) : 'packet';
}

/** The offset after the extension headers; `end` if they are invalid. */
function bodyOf(bytes: Bytes, start: number, end: number): number {
  if ((bytes[start]! & HAS_OPTIONAL) === 0) return start + headerBytes;
  let at = start + headerBytes + optionalBytes;
  if (at > end) return end;
  let next = (bytes[start]! & HAS_EXTENSIONS) === 0 ? 0 : bytes[at - 1]!;
  while (next !== 0) {
    if (at >= end || bytes[at] === 0) return end;
    at += bytes[at]! * 4;
    if (at > end) return end;
    next = bytes[at - 1]!;
  }
  return at;
}
