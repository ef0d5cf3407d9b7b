// 802.11 data frames (IEEE 802.11 9.3.2), and the headers that monitor interfaces put before them: radiotap and AVS.
import { etherType } from './ethernet.ts';
import type { Fragments } from './fragments.ts';
import { llcBytes, llcLength, llcType } from './llc.ts';
import { type Bytes, type DecodeResult, type Packet, word32 } from './packet.ts';

const headerBytes = 24;
const addressBytes = 6;
const serviceBytes = 2;
const controlBytes = 4;
const DATA = 2;
const subtypes = { noData: 0x04, service: 0x08 };
const BOTH_SYSTEMS = 0x03;
const ENCRYPTED = 0x40;
const HAS_CONTROL = 0x80;
const FRAGMENT_NUMBER = 0x0f;
const AGGREGATE = 0x80;

/** `padded`: the header is padded to a multiple of four bytes. */
export function wifi(
  bytes: Bytes,
  at: number,
  end: number,
  padded: boolean,
  fragments: Fragments,
  into: Packet,
): DecodeResult {
  if (end - at < 2) return 'corrupt';
  const control = bytes[at]!;
  const subtype = control >> 4;
  if (((control >> 2) & 3) !== DATA || (subtype & subtypes.noData) !== 0) return 'not-ip';
  const flags = bytes[at + 1]!;
  const hasService = (subtype & subtypes.service) !== 0;
  let length = headerBytes + ((flags & BOTH_SYSTEMS) === BOTH_SYSTEMS ? addressBytes : 0);
  const serviceAt = at + length;
  if (hasService) length += serviceBytes + ((flags & HAS_CONTROL) !== 0 ? controlBytes : 0);
  if (padded) length = (length + 3) & ~3;
  const body = at + length;
  if (end - body < llcBytes) return 'corrupt';
  if ((bytes[at + 22]! & FRAGMENT_NUMBER) !== 0) return 'fragment-without-first';
  const type = llcType(bytes, body, end);
  // Drivers that decrypt may leave the flag.
  if (type === 0 && (flags & ENCRYPTED) !== 0) return 'unopened';
  if (hasService && (bytes[serviceAt]! & AGGREGATE) !== 0) return 'unopened';
  return type === 0 ? 'not-ip' : etherType(type, bytes, body + llcLength(bytes, body), end, fragments, into);
}

const radiotapBytes = 8;
const MORE_FIELDS = 0x80; // in the last byte of each word of field bits
const fields = { time: 0x01, flags: 0x02 };
const timeBytes = 8;
const PADDED = 0x20;
const BAD_CHECK_SEQUENCE = 0x40;

/** https://www.radiotap.org; numbers are little-endian. */
export function radiotap(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  if (end - at < radiotapBytes) return 'corrupt';
  const length = bytes[at + 2]! | (bytes[at + 3]! << 8);
  if (length < radiotapBytes || end - at < length) return 'corrupt';
  const flags = radiotapFlags(bytes, at, length);
  // Any byte of the frame may be wrong.
  if ((flags & BAD_CHECK_SEQUENCE) !== 0) return 'corrupt';
  return wifi(bytes, at + length, end, (flags & PADDED) !== 0, fragments, into);
}

/** 0 if the header has no flags. */
function radiotapFlags(bytes: Bytes, start: number, length: number): number {
  const present = bytes[start + 4]!;
  if ((present & fields.flags) === 0) return 0;
  let at = 4;
  while (at + 4 <= length && (bytes[start + at + 3]! & MORE_FIELDS) !== 0) at += 4;
  at += 4;
  if ((present & fields.time) !== 0) at = ((at + 7) & ~7) + timeBytes;
  return at < length ? bytes[start + at]! : 0;
}

export function avs(bytes: Bytes, at: number, end: number, fragments: Fragments, into: Packet): DecodeResult {
  if (end - at < 8) return 'corrupt';
  const length = word32(bytes, at + 4);
  if (length < 8 || end - at < length) return 'corrupt';
  return wifi(bytes, at + length, end, false, fragments, into);
}
