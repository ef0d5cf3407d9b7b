// Ports are at the same offsets in TCP, UDP and SCTP (RFC 9293, 768, 9260).
import { type Bytes, type Packet, word16 } from './packet.ts';

export const portsBytes = 4;

export function ports(bytes: Bytes, at: number, into: Packet): void {
  into.sourcePort = word16(bytes, at);
  into.destinationPort = word16(bytes, at + 2);
}
