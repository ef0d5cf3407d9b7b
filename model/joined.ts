// Both observations of one connection, met but not yet judged: what passes from the join to the verdict.
import type { ObservationPoint, PerDirection, Tuple } from './record.ts';

/** All records of one connection at one interface, added up. Times in µs on the collector's clock. */
export type Observation = Tuple & {
  point: ObservationPoint;
  node: string;
  interfaceIndex: number;
  podUid: string;
  initiatorBy: 'handshake' | 'inferred';
  /** The first packet was no SYN: the connection is older than the watch. */
  midStream: boolean;
  beganUs: number;
  /** On the agent's own clock, as every record of the connection repeats it: with the interface it names the connection. */
  agentBeganUs: number;
  lastUs: number;
  packets: PerDirection<number>;
  bytes: PerDirection<number>;
  tcpFlags: PerDirection<number>;
  synRetries: number;
  unreachable: boolean;
  /** A packet of the initiator was seen that nobody behind us can have dropped. */
  arrived: boolean;
  /** Some interval had packets back, and no ICMP error among them. */
  hasReply: boolean;
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
  /** What the initiator asked for, and what the responder's side saw; the same object where nothing was translated. */
  originalTuple: Tuple;
  translatedTuple: Tuple;
};
