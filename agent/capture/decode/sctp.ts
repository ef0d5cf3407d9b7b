// The SCTP header and the type of its first chunk, which shows the initiator (RFC 9260 3).
import type { Bytes, DecodeResult, Packet } from './packet.ts';
import { ports } from './ports.ts';

export const sctpHeaderBytes = 12;
const INIT = 1;
const INIT_ACK = 2;

export function sctp(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < sctpHeaderBytes) return 'corrupt';
  ports(bytes, at, into);
  const chunk = end - at > sctpHeaderBytes ? bytes[at + sctpHeaderBytes] : undefined;
  if (chunk === INIT) into.initiator = 'source';
  else if (chunk === INIT_ACK) into.initiator = 'destination';
  return 'packet';
}
