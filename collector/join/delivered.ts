// Whether the initiator's packets were seen at the responder's interface (docs/join.md, "Delivered"). Delivery is `no` only
// if an agent watched the interface the whole time, lost nothing, and sees that direction. Otherwise it is `unknown`.
import type { Address } from '../../model/address.ts';
import type { Delivered, DeliveryUnknownReason } from '../../model/connection.ts';
import type { JoinedConnection } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import { RST } from '../../model/record.ts';
import type { InterfaceLoss } from '../../model/unrecorded.ts';
import { isUniqueAddress } from '../identity/local-addresses.ts';
import { mayBeLost, type SoughtConnection } from './interface-losses.ts';
import { isAnswered, observationsOf } from './outcome.ts';

/** `gapFreeSinceUs`: the interface is watched without a gap since then. */
export type WatchedPodInterface = {
  node: string;
  gapFreeSinceUs: number;
  goneUs: number;
  seesFromPod: boolean;
  seesToPod: boolean;
  losses: readonly InterfaceLoss[];
};

/** Which interfaces the agents watch, and how far their records reach. */
export type Coverage = {
  interfaceOf(podUid: string, address: Address): WatchedPodInterface | undefined;
  /** Undefined if no agent of the node reports now. `lastLossUs`: of losses that may concern any interface. */
  reportingAgent(node: string, nowUs: number): { coveredUntilUs: number; lastLossUs: number } | undefined;
  /** How far the records of the node's agent reach, also while it is away; undefined if there was none. */
  coveredUntilUs(node: string): number | undefined;
  /** How far the records of every agent reach that reports now. Infinity if none reports. */
  allCoveredUntilUs(nowUs: number): number;
};

/** Where the packets should arrive. `outside`: not at a pod interface; `service`: at an unknown backend. */
export type ExpectedDelivery = { at: 'pod'; podUid: string; address: Address } | { at: 'service' } | { at: 'outside' };

/** A loss in this time before the connection began may have been its first packet. */
const lossMarginUs = 2_000_000;
/** Times of two nodes differ by less than this. */
const clockMarginUs = 200_000;
/** An agent has reported a time if its records reach this far beyond it. */
export const reportedMarginUs = 100_000;

export function deliveredOf(
  joined: JoinedConnection,
  expected: ExpectedDelivery,
  coverage: Coverage,
  nowUs: number,
  maxWaitUs: number,
): Delivered {
  const { destination } = joined;
  if (joined.senderAmbiguous) return { delivered: 'unknown', why: 'sender-ambiguous' };
  if (destination === undefined && expected.at === 'pod' && !isUniqueAddress(joined.translatedTuple.initiator))
    return { delivered: 'unknown', why: 'source-not-unique' };
  if (destination?.arrived) return { delivered: 'yes', by: 'seen' };
  // An answer that left the responder's own interface proves that the packets arrived.
  if (destination !== undefined && hasAnswer(joined.protocol, destination)) return { delivered: 'yes', by: 'answer' };
  const answered = observationsOf(joined).some((observation) => isAnswered(joined.protocol, observation));
  const { protocol, translatedTuple } = joined;
  const sought: SoughtConnection = {
    pod: 'responder',
    wanted: answered ? 'all-packets' : 'initiator-packets',
    ...{ protocol, responderPort: translatedTuple.responderPort },
  };
  const { blindness, seesFromPod } = blindnessAt(expected, sought, joined, coverage, nowUs, maxWaitUs);
  if (answered) {
    if (blindness === 'not-reported') return { delivered: 'unknown', why: blindness };
    return blindness === undefined && seesFromPod
      ? { delivered: 'unknown', why: 'answered-in-between' }
      : { delivered: 'yes', by: joined.source?.acknowledgedUnseen ? 'acknowledged' : 'answer' };
  }
  if (destination !== undefined && destination.packets.forward > 0)
    return { delivered: 'unknown', why: 'filters-changed' };
  return blindness === undefined ? { delivered: 'no' } : { delivered: 'unknown', why: blindness };
}

function hasAnswer(protocol: number, destination: NonNullable<JoinedConnection['destination']>): boolean {
  return isAnswered(protocol, destination) || (protocol === TCP && (destination.tcpFlags.reverse & RST) !== 0);
}

type Times = Pick<JoinedConnection, 'startUs' | 'lastUs'>;

/** Why packets may have passed the responder's interface unseen; undefined if it was watched whole. */
function blindnessAt(
  expected: ExpectedDelivery,
  sought: SoughtConnection,
  times: Times,
  coverage: Coverage,
  nowUs: number,
  maxWaitUs: number,
): { blindness: DeliveryUnknownReason | undefined; seesFromPod: boolean } {
  switch (expected.at) {
    case 'outside':
      return { blindness: 'responder-outside', seesFromPod: false };
    case 'service':
      // The backend may have seen a masqueraded address: then it is another connection.
      return { blindness: 'backend-not-known', seesFromPod: false };
    case 'pod': {
      const link = coverage.interfaceOf(expected.podUid, expected.address);
      const blindness = interfaceBlindness(link, sought, times, coverage, nowUs, maxWaitUs);
      const seesFromPod = link?.seesFromPod ?? false;
      return { blindness: blindness ?? (link?.seesToPod ? undefined : 'half-visible'), seesFromPod };
    }
  }
}

/**
 * Undefined if the interface was watched without a gap all that time, and the agent lost nothing that is sought.
 * `maxWaitUs`: after the connection, how long an agent that is away may still report it.
 */
export function interfaceBlindness(
  link: WatchedPodInterface | undefined,
  sought: SoughtConnection,
  { startUs, lastUs }: Times,
  coverage: Coverage,
  nowUs: number,
  maxWaitUs: number,
): DeliveryUnknownReason | undefined {
  if (link === undefined || link.gapFreeSinceUs > startUs - clockMarginUs) return 'not-watched';
  if (link.goneUs > 0 && link.goneUs <= lastUs + clockMarginUs) return 'not-watched';
  const agent = coverage.reportingAgent(link.node, nowUs);
  if (agent === undefined) {
    const isCovered = (coverage.coveredUntilUs(link.node) ?? 0) >= startUs + reportedMarginUs;
    // It may come back with what it saw.
    return isCovered || nowUs > lastUs + maxWaitUs ? 'not-watched' : 'not-reported';
  }
  if (agent.coveredUntilUs < startUs + reportedMarginUs) return 'not-reported';
  return agent.lastLossUs > startUs - lossMarginUs || mayBeLost(link.losses, sought, startUs) ? 'losses' : undefined;
}
