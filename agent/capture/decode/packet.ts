// One packet's headers, decoded. One object is used again for every packet: copy what must stay.
import type { IgnoredReason, LossReason } from '../../../accounting/reasons.ts';

/** What became of a frame: a packet of a connection, or a reason why it is none. */
export type DecodeResult = 'packet' | IgnoredReason | LossReason;

/** `source` and `destination` are those of the connection: an ICMP error stands as a reply of what it quotes. */
export class Packet {
  /** 16 bytes each, as four words in network order; IPv4 is mapped (::ffff:0:0/96). */
  readonly source = new Uint32Array(4);
  readonly destination = new Uint32Array(4);
  protocol = 0;
  sourcePort = 0;
  destinationPort = 0;
  /** Of the frame as it was on the wire. */
  bytes = 0;
  tcpFlags = 0;
  /** TCP sequence number: of a SYN it tells a new connection from a retry. */
  sequence = 0;
  /** What a TCP answer acknowledges: of a SYN-ACK or an RST it tells the SYN that it answers. */
  acknowledged = 0;
  /** Where the frame itself names the interface that it was seen at; else 0. */
  interfaceIndex = 0;
  /** The packet itself says who began: its source, its destination, or nothing. */
  initiator: 'source' | 'destination' | 'unknown' = 'unknown';
  /** It is an ICMP error, which stands as a reply of the connection whose header it quotes. */
  quoted = false;
  /** That error says that the connection cannot get there. */
  unreachable = false;
  /** What a tunnel's packet carries, and where that begins. */
  inner: 'nothing' | 'ethernet' | 'ip' = 'nothing';
  innerAt = 0;
  /** Where what a DNS server wrote begins and ends; 0 of everything else. */
  dnsStart = 0;
  dnsEnd = 0;
  /** `open`: a tunnel's packet stands for what it carries. `closed`: it is a flow like any other (a pod's own). */
  readonly tunnels: 'decapsulate' | 'opaque';

  constructor(tunnels: 'decapsulate' | 'opaque') {
    this.tunnels = tunnels;
  }

  clear(bytes: number): void {
    this.protocol = 0;
    this.sourcePort = 0;
    this.destinationPort = 0;
    this.bytes = bytes;
    this.tcpFlags = 0;
    this.sequence = 0;
    this.acknowledged = 0;
    this.interfaceIndex = 0;
    this.initiator = 'unknown';
    this.quoted = false;
    this.unreachable = false;
    this.inner = 'nothing';
    this.dnsStart = 0;
  }

  /** The packet as a reply to what was decoded into it: both ends change places. */
  swapEnds(): void {
    for (let i = 0; i < 4; i++) {
      const word = this.source[i]!;
      this.source[i] = this.destination[i]!;
      this.destination[i] = word;
    }
    const port = this.sourcePort;
    this.sourcePort = this.destinationPort;
    this.destinationPort = port;
  }
}

/** A buffer that holds a frame: where the frame ends is told beside it. */
export type Bytes = Uint8Array;

export function word16(bytes: Bytes, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function word32(bytes: Bytes, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
