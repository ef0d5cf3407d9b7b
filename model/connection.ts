// The connection: both observations of one flow, joined, with outcome and verdict.
import type { Address } from './address.ts';
import type { Endpoint, Placement } from './endpoint.ts';
import type { FindingKind } from './finding-kind.ts';
import type { ObservationPoint, PerDirection, Tuple } from './record.ts';
import type { VerdictName } from './verdict.ts';

export const outcomes = ['established', 'refused', 'unanswered'] as const;
export type Outcome = (typeof outcomes)[number];

/** Why it is not known whether packets were delivered (docs/glossary.md). */
export const deliveryUnknownReasons = [
  'responder-outside', // the responder is not behind a pod interface
  'not-watched', // no agent watched the responder's interface for the whole time
  'losses', // the responder's agent lost packets in that time
  'filters-changed', // seen, but other TC programs may have dropped it, or it had another link address
  'half-visible', // one direction is never seen on that interface
  'not-reported', // the agent of the responder's node has not reported that time
  'answered-in-between', // the answer did not leave the responder's interface, which was watched all the time
  'sender-ambiguous', // another interface sent packets with the same ends, or too many connections have them
  'source-not-unique', // packets with a link-local source address cannot be found at another interface
  'backend-not-known', // it is not known which endpoint of the Service got the connection
] as const;
export type DeliveryUnknownReason = (typeof deliveryUnknownReasons)[number];

/**
 * Whether the initiator's packets were seen at the responder's interface (join.md, "Delivered"). `acknowledged`: the initiator
 * acknowledged an answer that its interface does not show.
 */
export type Delivered =
  | { delivered: 'yes'; by: 'seen' | 'answer' | 'acknowledged' }
  | { delivered: 'no' }
  | { delivered: 'unknown'; why: DeliveryUnknownReason };

/** `of`: who has the address. */
export type ForeignSource = { address: Address; of: 'pod' | 'node' | 'service' | 'nobody'; owner: Endpoint };

/** One joined connection with its verdict, as stored and shown. Times in µs since the epoch on the collector's clock. */
export type Connection = {
  id: string;
  startUs: number;
  endUs: number;
  ended: boolean;
  initiator: Endpoint;
  responder: Endpoint;
  /** The tuple before translation, as the initiator sent it; undefined if nothing was translated. */
  translated: Tuple | undefined;
  protocol: number;
  port: number;
  initiatorPort: number;
  initiatorInferred: boolean;
  /** The initiator sent packets with this source address, which is not its own. */
  foreignSource?: ForeignSource;
  /** The TCP sequence numbers differ at the two ends: something between them rewrites them. */
  sequenceRewritten?: true;
  midStream: boolean;
  placement: Placement;
  outcome: Outcome;
  delivered: Delivered;
  packets: PerDirection<number>;
  bytes: PerDirection<number>;
  rttUs: number;
  synRetries: number;
  observed: readonly ObservationPoint[];
  verdict: VerdictName;
  /** The verdict of the declared policies (Git), with `policy.judgeBy: both`. */
  declaredVerdict?: VerdictName;
  /** Why the verdict is unknown; else empty. */
  unknownReason: string;
  /** The same for programs (policy/reason-key.ts); not shown. Missing if the verdict is known. */
  unknownReasonKey?: string;
  /** The sides of the join, to continue after a restart (collector/join/stored-side.ts); not shown. */
  sides?: readonly unknown[];
  /** How these sides are one connection; not shown. */
  group?: unknown;
  /** It is evaluated again when more is known, also after a restart; not shown. */
  open?: true;
  /** The finding that counts this connection; empty if no finding does. */
  findingId: string;
  /** Of that finding. Its id changes if it is rolled up. */
  findingKind?: FindingKind;
};
