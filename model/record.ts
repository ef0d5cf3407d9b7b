// The connection record: a bidirectional flow seen at one observation point in one interval (RFC 5103 biflow).
import type { Address } from './address.ts';

/** TCP flag bits as on the wire (RFC 9293 3.1). */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;

/** Which side of the connection the observing interface is; `host` is a node's uplink, or a file of unknown origin. */
export type ObservationPoint = 'source' | 'destination' | 'host';

/** A value for each direction: forward is initiator to responder. */
export type PerDirection<Value> = { forward: Value; reverse: Value };

/** Both ends of a packet, in the direction initiator to responder. Ports are 0 if the protocol has none. */
export type Tuple = { initiator: Address; initiatorPort: number; responder: Address; responderPort: number };

/** From conntrack: the tuples before and after translation. */
export type Translation = { original: Tuple; translated: Tuple };

/**
 * Counters cover this interval only; the records of a connection add up. Times are µs since the epoch on the agent's
 * clock. Bytes count whole frames, as the interface counts them.
 */
export type ConnectionRecord = Tuple & {
  protocol: number;
  point: ObservationPoint;
  /** Index of the interface on its node. The kernel does not reuse it, so a new pod with an old address has another one. */
  interfaceIndex: number;
  /** Uid of the pod behind the interface; empty if the agent does not know it. */
  podUid: string;
  /** How the initiator is known: a SYN (or its SYN-ACK) was seen, or it was inferred from order and ports. */
  initiatorBy: 'handshake' | 'inferred';
  /**
   * The initial sequence number of the initiator's SYN, from the SYN or from what the SYN-ACK acknowledges. Undefined if
   * neither was seen, and for other protocols than TCP. 0 is a number like any other. The sender chooses it: evidence,
   * never proof. Every record of the connection repeats it.
   */
  isn: number | undefined;
  /** The responder sent a SYN too, in this interval or an earlier one (RFC 9293 3.5, simultaneous open). */
  bothSentSyn: boolean;
  /** The first packet that was seen came from the responder. False for older agents. */
  responderFirst: boolean;
  /** When the connection began here: its first packet, in this interval or an earlier one. */
  beganUs: number;
  firstUs: number;
  lastUs: number;
  /** Packets on the wire. With segmentation offload, one frame of the interface holds several. */
  packets: PerDirection<number>;
  /** Frames as the interface counts them, in both directions together. */
  frames: number;
  bytes: PerDirection<number>;
  /** The flags of all packets in this interval, or-ed. */
  tcpFlags: PerDirection<number>;
  /** Retransmitted SYNs in this interval. */
  synRetries: number;
  /** An ICMP error for this connection was seen: unreachable, but not "too big". */
  unreachable: boolean;
  /** A packet of the responder other than such an error was seen, in this interval or an earlier one. */
  answered: boolean;
  /** Other TC/TCX programs changed and may have dropped packets after we saw them, or packets had another link address. */
  deliveryUnproven: boolean;
  /** Handshake round trip in µs; 0 if it was not seen. */
  rttUs: number;
  /** True in the last record of the connection: FIN from both sides, RST, or idle timeout. */
  ended: boolean;
  translation: Translation | undefined;
};
