// GRE (RFC 2784, RFC 2890), with Ethernet frames, mirrored frames (ERSPAN), and PPP (RFC 2637).
import { etherTypes, isOpenedEtherType } from './ether-type.ts';
import { type Bytes, type DecodeResult, type Packet, word16 } from './packet.ts';

export const GRE = 47;
const headerBytes = 4;
const flags = { checksum: 0x8000, routing: 0x4000, key: 0x2000, sequence: 0x1000, acknowledgement: 0x0080 };
const VERSION = 0x0007;
const PPTP = 1;
export const erspanTypes = { erspan: 0x88be, erspan3: 0x22eb } as const;
/** The first four bits of the ERSPAN header (draft-foschiano-erspan 4). */
const ERSPAN_2 = 1;
const ERSPAN_3 = 2;
const erspan2Bytes = 8;
const erspan3Bytes = 12;
const platformBytes = 8;
const HAS_PLATFORM = 0x01;
const IP_FRAME = 2;
/** WCCP redirects IPv4 packets, in version 2 after a header of its own. */
export const wccpType = 0x883e;
const wccpBytes = 4;

/** GRE with a payload that is not opened is a flow of the outer packet, like any other. */
export function gre(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < headerBytes) return 'corrupt';
  const field = word16(bytes, at);
  const version = field & VERSION;
  if (version > PPTP || (field & flags.routing) !== 0) return 'packet';
  const body = at + headerLength(field, version);
  if (body > end) return 'corrupt';
  return greBody(word16(bytes, at + 2), (field & flags.sequence) !== 0, bytes, body, end, into);
}

function headerLength(field: number, version: number): number {
  let length = headerBytes;
  if ((field & flags.checksum) !== 0) length += 4;
  if ((field & flags.key) !== 0) length += 4;
  if ((field & flags.sequence) !== 0) length += 4;
  if (version === PPTP && (field & flags.acknowledgement) !== 0) length += 4;
  return length;
}

function greBody(
  type: number,
  hasSequence: boolean,
  bytes: Bytes,
  at: number,
  end: number,
  into: Packet,
): DecodeResult {
  // The first type of ERSPAN has neither a sequence number nor a header.
  if (type === erspanTypes.erspan && !hasSequence) return into.carry('ethernet', at);
  if (type === erspanTypes.erspan || type === erspanTypes.erspan3) return erspan(bytes, at, end, into);
  if (type === wccpType && end > at) return into.carry('ip', bytes[at]! >> 4 === 4 ? at : at + wccpBytes);
  if (type === etherTypes.ethernet) return into.carry('ethernet', at);
  if (!isOpenedEtherType(type)) return 'packet';
  return into.carryType(type, at);
}

function erspan(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < erspan2Bytes) return 'corrupt';
  const version = bytes[at]! >> 4;
  if (version === ERSPAN_2) return into.carry('ethernet', at + erspan2Bytes);
  if (version !== ERSPAN_3) return 'packet';
  if (end - at < erspan3Bytes) return 'corrupt';
  const frameType = (bytes[at + 10]! >> 2) & 0x1f;
  const platform = (bytes[at + 11]! & HAS_PLATFORM) !== 0 ? platformBytes : 0;
  return into.carry(frameType === IP_FRAME ? 'ip' : 'ethernet', at + erspan3Bytes + platform);
}
