// The TCP header (RFC 9293 3.1): ports, flags, and the sequence number that tells one connection from the next.
import { ACK, RST, SYN } from '../../../model/record.ts';
import { DNS } from './dns.ts';
import { type Bytes, type Decoded, type Packet, word32 } from './packet.ts';
import { ports } from './ports.ts';

const headerBytes = 20;
const fewestWords = 5;

export function tcp(bytes: Bytes, at: number, end: number, into: Packet): Decoded {
  if (end - at < headerBytes || bytes[at + 12]! >> 4 < fewestWords) return 'corrupt';
  ports(bytes, at, into);
  if (into.sourcePort === DNS) {
    into.answerAt = Math.min(end, at + (bytes[at + 12]! >> 4) * 4);
    into.answerEnd = end;
  }
  into.tcpFlags = bytes[at + 13]!;
  into.sequence = word32(bytes, at + 4);
  if ((into.tcpFlags & (SYN | RST)) === SYN) into.began = (into.tcpFlags & ACK) === 0 ? 'source' : 'destination';
  // What an answer acknowledges tells the SYN that it answers.
  if ((into.tcpFlags & ACK) !== 0) into.acknowledged = word32(bytes, at + 8);
  return 'packet';
}
