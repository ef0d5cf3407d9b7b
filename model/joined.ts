// Both observations of one connection, joined but not yet evaluated.
import type { ObservationPoint, PerDirection, Tuple } from './record.ts';

/** All records of one connection at one interface, added up. Times in µs on the collector's clock. */
export type Observation = Tuple & {
  point: ObservationPoint;
  node: string;
  interfaceIndex: number;
  podUid: string;
  initiatorBy: 'handshake' | 'inferred';
  /** The first packet was not a SYN: the connection began before the agent watched the interface. */
  midStream: boolean;
  beganUs: number;
  lastUs: number;
  packets: PerDirection<number>;
  bytes: PerDirection<number>;
  tcpFlags: PerDirection<number>;
  synRetries: number;
  unreachable: boolean;
  /** A packet of the initiator was seen, and no later program on the interface can have dropped it. */
  arrived: boolean;
  /** In some interval the responder sent packets, and none of them was an ICMP error. */
  hasReply: boolean;
  /** TCP: the initiator acknowledged an answer, and its interface shows no packets to the pod. */
  acknowledgedUnseen?: true;
  /** The same for the initiator. */
  hasRequest: boolean;
  /** Of the packets at this interface, the first was the responder's: another interface showed who began. */
  sawResponderFirst: boolean;
  rttUs: number;
  ended: boolean;
};

export type JoinedConnection = {
  id: string;
  protocol: number;
  startUs: number;
  lastUs: number;
  source: Observation | undefined;
  destination: Observation | undefined;
  host: Observation | undefined;
  /** As the initiator's side and as the responder's side saw it; the same object if nothing was translated. */
  originalTuple: Tuple;
  translatedTuple: Tuple;
  /** How the initiator is known; `inferred` also if the two sides disagree, because both ends sent a SYN. */
  initiatorBy: 'handshake' | 'inferred';
  /** The initial sequence number differs at the two ends: something between them rewrites it (a SYN proxy, a firewall). */
  sequenceRewritten: boolean;
  /** The initiator's interface saw a connection to a Service that may be this one; it is not known which endpoint got it. */
  initiatorSeenAtService: boolean;
  /** Another interface sent packets with the same ends: it is not known whose packets the responder's interface saw. */
  senderAmbiguous: boolean;
};
