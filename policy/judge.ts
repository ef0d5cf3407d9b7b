// What the declared policies say of one connection: first each side, then both together.
// Pure: the same arguments give the same verdict. Rules: docs/policy-semantics.md.
import { hasPorts } from '../model/protocol.ts';
import type { Crossing, Direction, Party, SideVerdict, Verdict } from '../model/verdict.ts';
import { judgeNetworkPolicies } from './network-policies.ts';
import type { PolicyOptions } from './options.ts';
import { always, isItself, isOwnNode, unlessOwnNode } from './own-node.ts';
import type { PodParty } from './peers.ts';
import { type PolicySet, type Selection, selectionOf } from './policy-set.ts';
import { judgeTier } from './tiers.ts';
import { undeclared } from './undeclared.ts';

/**
 * Judges initiator -> responder by `policies`, those in force when the connection began (the caller chooses them).
 * Replies are part of it (rule 4). Never throws on a broken policy: what it could change is `unknown` (rule 17).
 */
export function judge(crossing: Crossing, policies: PolicySet, options: PolicyOptions): Verdict {
  const { initiator, responder } = crossing;
  const sides: SideVerdict[] = [];
  if (initiator.kind === 'pod') sides.push(judgeSide('egress', initiator, responder, crossing, policies, options));
  if (responder.kind === 'pod') sides.push(judgeSide('ingress', responder, initiator, crossing, policies, options));
  const verdict = together(sides, options);
  return hasPorts(crossing.protocol) ? { verdict, sides } : { verdict, sides, undefinedByApi: true };
}

export const heaviestFirst = {
  any: ['denied', 'unknown', 'allowed'],
  every: ['denied', 'unknown', 'undeclared', 'allowed'],
} as const;

/** A certain denial outweighs a doubt on the other side; a doubt outweighs an allowance. No side: undeclared. */
export function together(
  sides: readonly SideVerdict[],
  options: Pick<PolicyOptions, 'declaredBy'>,
): Verdict['verdict'] {
  for (const verdict of heaviestFirst[options.declaredBy]) {
    for (const side of sides) if (side.verdict === verdict) return verdict;
  }
  return 'undeclared';
}

function judgeSide(
  side: Direction,
  own: PodParty,
  other: Party,
  crossing: Crossing,
  policies: PolicySet,
  options: PolicyOptions,
): SideVerdict {
  if (isItself(own, other)) return always(side, 'itself');
  const ownNode = isOwnNode(own, other);
  if (ownNode && side === 'ingress') return always(side, 'own-node');
  const selection = selectionOf(policies, own, side);
  const asked = { side, own, other, crossing };
  // Rule 18, and rule 12: an egress rule of a cluster policy comes before what is said of a pod and its own node.
  const found = judgeTier(selection.admin, asked, () => {
    const unisolated = () =>
      judgeTier(selection.baseline, asked, () => (ownNode ? always(side, 'own-node') : undeclared(selection, asked)));
    if (ownNode) return judgeOwnNode(side, selection, unisolated);
    return judgeNetworkPolicies(side, selection, own, other, crossing, options) ?? unisolated();
  });
  return side === 'ingress' && found.verdict === 'denied' ? unlessOwnNode(found, own, other) : found;
}

/** Egress to the own node: a NetworkPolicy that isolates the side lets it pass, and is final (rule 22). */
function judgeOwnNode(side: Direction, { isolating, broken }: Selection, unisolated: () => SideVerdict): SideVerdict {
  if (isolating.length > 0) return always(side, 'own-node');
  const otherwise = unisolated();
  if (broken.length === 0 || otherwise.verdict === 'allowed') return otherwise;
  return { side, verdict: 'unknown', why: { reason: 'broken-policy', policies: broken } };
}
