// The decoded headers of one packet. The object is used again for the next packet, so copy what you keep.
import type { IgnoredReason, LossReason } from '../../../accounting/reasons.ts';
import { etherTypes } from './ether-type.ts';

/** The result for a frame: a packet of a connection, or the reason why it is ignored or lost. */
export type DecodeResult = 'packet' | Exclude<IgnoredReason, 'not-ours'> | LossReason;

/** `source` and `destination` are ends of the connection: an ICMP error is a reply in the connection that it quotes. */
export class Packet {
  /** 16 bytes each, as four words in network order; IPv4 is mapped (::ffff:0:0/96). */
  readonly source = new Uint32Array(4);
  readonly destination = new Uint32Array(4);
  protocol = 0;
  sourcePort = 0;
  destinationPort = 0;
  /** Length of the frame on the wire. */
  bytes = 0;
  /** More than one if held fragments are counted with it. */
  frames = 1;
  /** A fragment that waits for its first one, and is not lost yet (fragments.ts). */
  held = false;
  /** The capture ends before the frame, or the packet in a tunnel goes on in another fragment. */
  cut = false;
  tcpFlags = 0;
  /** TCP sequence number; that of a SYN distinguishes a new connection from a retry. */
  sequence = 0;
  /** TCP acknowledgement number; that of a SYN-ACK or an RST identifies the SYN that it answers. */
  acknowledged = 0;
  /** The interface that the frame names; 0 if it names none. */
  interfaceIndex = 0;
  /** The identifiers of the VLAN tags, the last two if there are more; 0 without tags. */
  vlan = 0;
  /** The end that the packet proves to be the initiator. */
  initiator: 'source' | 'destination' | 'unknown' = 'unknown';
  /** It is an ICMP error, which counts as a reply in the connection that it quotes. */
  quoted = false;
  /** The ICMP error says that the destination cannot be reached. */
  unreachable = false;
  /** It went to the pod's interface, but its link address is another one. The decoder does not set it. */
  deliveryUnproven = false;
  /** The offset of the IP header; -1 if the frame has no IP. */
  ipAt = -1;
  /** The kind of packet in a tunnel, and its offset. */
  inner: 'nothing' | 'ethernet' | 'ip' | 'ether-type' = 'nothing';
  innerAt = 0;
  /** The EtherType of the packet in the tunnel, if the tunnel's header has one. */
  innerType = 0;
  /** Begin and end of the payload from or to port 53; `dnsStart` is 0 for all other packets. */
  dnsStart = 0;
  dnsEnd = 0;
  /**
   * `decapsulate`: decode the packet in the tunnel. `opaque`: the outer packet is a flow like any other (a pod's own
   * tunnel).
   */
  readonly tunnels: 'decapsulate' | 'opaque';

  constructor(tunnels: 'decapsulate' | 'opaque') {
    this.tunnels = tunnels;
  }

  clear(bytes: number): void {
    this.protocol = 0;
    this.sourcePort = 0;
    this.destinationPort = 0;
    this.bytes = bytes;
    this.frames = 1;
    this.held = false;
    this.tcpFlags = 0;
    this.sequence = 0;
    this.acknowledged = 0;
    this.interfaceIndex = 0;
    this.vlan = 0;
    this.initiator = 'unknown';
    this.quoted = false;
    this.unreachable = false;
    this.deliveryUnproven = false;
    this.ipAt = -1;
    this.inner = 'nothing';
    this.dnsStart = 0;
  }

  /** The header of a tunnel ends at `at`, where the packet in it begins. */
  carry(inner: 'ethernet' | 'ip' | 'ether-type', at: number): 'carrier' {
    this.inner = inner;
    this.innerAt = at;
    return 'carrier';
  }

  /** Like `carry`, with the EtherType of what the tunnel carries. */
  carryType(type: number, at: number): 'carrier' {
    this.innerType = type;
    return this.carry(type === etherTypes.ethernet ? 'ethernet' : 'ether-type', at);
  }

  /** Turns the packet into a reply. */
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

/** A buffer with a frame; the end of the frame is a separate argument. */
export type Bytes = Uint8Array;

export function word16(bytes: Bytes, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function word32(bytes: Bytes, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
