// The TCP header (RFC 9293 3.1): ports, flags, sequence and acknowledgement number.
import { ACK, RST, SYN } from '../../../model/record.ts';
import { DNS } from './dns.ts';
import { type Bytes, type DecodeResult, type Packet, word32 } from './packet.ts';
import { ports } from './ports.ts';

export const tcpHeaderBytes = 20;
const minHeaderWords = 5;

export function tcp(bytes: Bytes, at: number, end: number, into: Packet): DecodeResult {
  if (end - at < tcpHeaderBytes || bytes[at + 12]! >> 4 < minHeaderWords) return 'corrupt';
  ports(bytes, at, into);
  if (into.sourcePort === DNS || into.destinationPort === DNS) {
    into.dnsStart = Math.min(end, at + (bytes[at + 12]! >> 4) * 4);
    into.dnsEnd = end;
  }
  into.tcpFlags = bytes[at + 13]!;
  into.sequence = word32(bytes, at + 4);
  if ((into.tcpFlags & (SYN | RST)) === SYN) into.initiator = (into.tcpFlags & ACK) === 0 ? 'source' : 'destination';
  if ((into.tcpFlags & ACK) !== 0) into.acknowledged = word32(bytes, at + 8);
  return 'packet';
}
