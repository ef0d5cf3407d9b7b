// The connection record: a bidirectional flow seen at one observation point in one interval (RFC 5103 biflow).
import type { Address } from './address.ts';

/** TCP flag bits as on the wire (RFC 9293 3.1). */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;

/** Which side of the connection the observing interface is; `host` is a node's uplink, or a file of unknown origin. */
export type ObservationPoint = 'source' | 'destination' | 'host';

/** A value for each direction: forward is initiator to responder. */
export type PerDirection<Value> = { forward: Value; reverse: Value };

/** Both ends of a packet, in the direction initiator to responder. Ports are 0 where the protocol has none. */
export type Tuple = { initiator: Address; initiatorPort: number; responder: Address; responderPort: number };

/** What conntrack knows of a translated connection: the tuple before, and the tuple after translation. */
export type Translation = { original: Tuple; translated: Tuple };

/**
 * Counters are of this interval only; a connection's records add up. Times are µs since the epoch, of the agent's
 * clock. Bytes are of whole frames as the interface counts them.
 */
export type ConnectionRecord = Tuple & {
  protocol: number;
  point: ObservationPoint;
  /** Index of the interface on its node: an index is not used again, so a new pod on an old address differs. */
  interfaceIndex: number;
  /** Uid of the pod behind the interface, where the agent knows it. */
  podUid: string;
  /** How the initiator is known: a SYN (or its SYN-ACK) was seen, or it was inferred from order and ports. */
  initiatorBy: 'handshake' | 'inferred';
  /** When the connection began here: its first packet, in this interval or an earlier one. */
  beganUs: number;
  firstUs: number;
  lastUs: number;
  /** On the wire: with segmentation offload, a frame that the interface counts once holds several. */
  packets: PerDirection<number>;
  /** As the interface counts them, of both directions. */
  frames: number;
  bytes: PerDirection<number>;
  /** Flags seen in this interval, or-ed, for each direction. */
  tcpFlags: PerDirection<number>;
  /** SYNs without ACK beyond the first, in this interval: the initiator asked again. */
  synRetries: number;
  /** An ICMP error quoting the connection said that it cannot get there (unreachable, other than too big). */
  unreachable: boolean;
  /** A packet of the responder that is no such error was seen, in this interval or an earlier one. */
  answered: boolean;
  /** What was seen on its way into the pod may have been dropped behind us: who else filters there changed meanwhile. */
  deliveryUnproven: boolean;
  /** Handshake round trip in µs; 0 where it was not seen. */
  rttUs: number;
  /** True in the record that ends the connection: FIN from both sides, RST, or silence. */
  ended: boolean;
  translation: Translation | undefined;
};
