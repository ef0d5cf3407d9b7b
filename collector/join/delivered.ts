// Whether the initiator's packets were seen at the responder's interface (docs/join.md, "Delivered"). Silence is a proof
// only where someone listened the whole time, lost nothing, and can see that direction; everywhere else it is a doubt.
import type { Address } from '../../model/address.ts';
import type { Delivered } from '../../model/connection.ts';
import type { JoinedConnection } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import { RST } from '../../model/record.ts';
import { isAnswered, observationsOf } from './outcome.ts';

/** `wholeSinceUs`: since then it was watched without a gap. */
export type ResponderInterface = { node: string; gapFreeSinceUs: number; goneUs: number; seesToPod: boolean };

/** What the agents tell of the places where a connection should have arrived. */
export type Coverage = {
  interfaceOf(podUid: string, address: Address): ResponderInterface | undefined;
  /** Undefined where no agent of the node reports now. */
  reportingAgent(node: string, nowUs: number): { coveredUntilUs: number; lastLossUs: number } | undefined;
};

/** Where it should have arrived; `outside`: nowhere that we watch; `service`: at a backend that nobody named. */
export type ExpectedDelivery = { at: 'pod'; podUid: string; address: Address } | { at: 'service' } | { at: 'outside' };

/** Losses this long before a connection began may have been its own first packet. */
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
  // A reset that left the pod's own interface is the pod's own word.
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
      // A backend may have been reached by another address (masquerade), and stands as another connection then.
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
