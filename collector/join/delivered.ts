// Whether the initiator's packets were seen at the responder's interface (docs/join.md, "Delivered"). Delivery is `no` only
// if an agent watched the interface the whole time, lost nothing, and sees that direction. Otherwise it is `unknown`.
import type { Address } from '../../model/address.ts';
import type { Delivered } from '../../model/connection.ts';
import type { JoinedConnection } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import { RST } from '../../model/record.ts';
import { isAnswered, observationsOf } from './outcome.ts';

/** `gapFreeSinceUs`: the interface is watched without a gap since then. */
export type ResponderInterface = { node: string; gapFreeSinceUs: number; goneUs: number; seesToPod: boolean };

/** Which interfaces the agents watch, and how far their records reach. */
export type Coverage = {
  interfaceOf(podUid: string, address: Address): ResponderInterface | undefined;
  /** Undefined if no agent of the node reports now. */
  reportingAgent(node: string, nowUs: number): { coveredUntilUs: number; lastLossUs: number } | undefined;
  /** How far the records of the node's agent reach, also while it is away; undefined if there was none. */
  coveredUntilUs(node: string): number | undefined;
};

/** Where the packets should arrive. `outside`: not at a pod interface; `service`: at an unknown backend. */
export type ExpectedDelivery = { at: 'pod'; podUid: string; address: Address } | { at: 'service' } | { at: 'outside' };

/** A loss in this time before the connection began may have been its first packet. */
const lossMarginUs = 2_000_000;

export function deliveredOf(
  joined: JoinedConnection,
  expected: ExpectedDelivery,
  coverage: Coverage,
  nowUs: number,
): Delivered {
  const { destination } = joined;
  if (destination?.arrived) return { delivered: 'yes', by: 'seen' };
  if (observationsOf(joined).some((observation) => isAnswered(joined.protocol, observation)))
    return { delivered: 'yes', by: 'answer' };
  // A reset that left the pod's own interface proves that the packet arrived.
  if (destination !== undefined && joined.protocol === TCP && destination.tcpFlags.reverse & RST) {
    return { delivered: 'yes', by: 'answer' };
  }
  if (destination !== undefined && destination.packets.forward > 0) {
    return { delivered: 'unknown', why: 'filters-changed' };
  }
  switch (expected.at) {
    case 'outside':
      return { delivered: 'unknown', why: 'responder-outside' };
    case 'pod':
      return deliveryWhenUnseen(expected.podUid, expected.address, joined, coverage, nowUs);
    case 'service':
      // The backend may have seen a masqueraded address: then it is another connection.
      return { delivered: 'unknown', why: 'backend-not-known' };
  }
}

function deliveryWhenUnseen(
  podUid: string,
  address: Address,
  joined: JoinedConnection,
  coverage: Coverage,
  nowUs: number,
): Delivered {
  const link = coverage.interfaceOf(podUid, address);
  if (link === undefined || link.gapFreeSinceUs > joined.startUs || link.goneUs > 0) {
    return { delivered: 'unknown', why: 'not-watched' };
  }
  const agent = coverage.reportingAgent(link.node, nowUs);
  if (agent === undefined || agent.coveredUntilUs < joined.startUs) return { delivered: 'unknown', why: 'not-watched' };
  if (agent.lastLossUs > joined.startUs - lossMarginUs) return { delivered: 'unknown', why: 'losses' };
  return link.seesToPod ? { delivered: 'no' } : { delivered: 'unknown', why: 'half-visible' };
}
