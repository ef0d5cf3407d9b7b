// What the declared policies say of one connection: first each side, then both together.
// Pure: the same arguments give the same verdict. Rules: docs/policy-semantics.md.
import { hasPorts } from '../model/protocol.ts';
import type { Direction, Flow, Party, SideVerdict, Verdict } from '../model/verdict.ts';
import { judgeNetworkPolicies } from './network-policies.ts';
import type { PolicyOptions } from './options.ts';
import { alwaysAllowed, isItself, isOwnNode, unknownIfMaybeOwnNode } from './own-node.ts';
import type { PodParty } from './peers.ts';
import { type PolicySet, type Selection, selectionOf } from './policy-set.ts';
import { judgeTier } from './tiers.ts';
import { undeclared } from './undeclared.ts';

/**
 * Judges initiator -> responder by `policies`, those in force when the connection began (the caller chooses them).
 * Replies are part of it (rule 4). Never throws on a broken policy: what it could change is `unknown` (rule 17).
 */
export function judge(flow: Flow, policies: PolicySet, options: PolicyOptions): Verdict {
  const { initiator, responder } = flow;
  const sides: SideVerdict[] = [];
  if (initiator.kind === 'pod') sides.push(judgeSide('egress', initiator, responder, flow, policies, options));
  if (responder.kind === 'pod') sides.push(judgeSide('ingress', responder, initiator, flow, policies, options));
  const verdict = combineSides(sides, options);
  return hasPorts(flow.protocol) ? { verdict, sides } : { verdict, sides, undefinedByApi: true };
}

export const verdictPrecedence = {
  any: ['denied', 'unknown', 'allowed'],
  every: ['denied', 'unknown', 'undeclared', 'allowed'],
} as const;

/** A certain denial outweighs a doubt on the other side; a doubt outweighs an allowance. No side: undeclared. */
export function combineSides(
  sides: readonly SideVerdict[],
  options: Pick<PolicyOptions, 'declaredBy'>,
): Verdict['verdict'] {
  for (const verdict of verdictPrecedence[options.declaredBy]) {
    for (const side of sides) if (side.verdict === verdict) return verdict;
  }
  return 'undeclared';
}

function judgeSide(
  side: Direction,
  own: PodParty,
  other: Party,
  flow: Flow,
  policies: PolicySet,
  options: PolicyOptions,
): SideVerdict {
  if (isItself(own, other)) return alwaysAllowed(side, 'itself');
  const ownNode = isOwnNode(own, other);
  if (ownNode && side === 'ingress') return alwaysAllowed(side, 'own-node');
  const selection = selectionOf(policies, own, side);
  const context = { side, own, other, flow };
  // Rule 18, and rule 12: an egress rule of a cluster policy comes before what is said of a pod and its own node.
  const verdict = judgeTier(selection.admin, context, () => {
    const judgeBaseline = () =>
      judgeTier(selection.baseline, context, () =>
        ownNode ? alwaysAllowed(side, 'own-node') : undeclared(selection, context),
      );
    if (ownNode) return judgeOwnNode(side, selection, judgeBaseline);
    return judgeNetworkPolicies(side, selection, own, other, flow, options) ?? judgeBaseline();
  });
  return side === 'ingress' && verdict.verdict === 'denied' ? unknownIfMaybeOwnNode(verdict, own, other) : verdict;
}

/** Egress to the own node: a NetworkPolicy that isolates the side lets it pass, and is final (rule 22). */
function judgeOwnNode(
  side: Direction,
  { isolating, broken }: Selection,
  judgeBaseline: () => SideVerdict,
): SideVerdict {
  if (isolating.length > 0) return alwaysAllowed(side, 'own-node');
  const baselineVerdict = judgeBaseline();
  if (broken.length === 0 || baselineVerdict.verdict === 'allowed') return baselineVerdict;
  return { side, verdict: 'unknown', why: { reason: 'broken-policy', policies: broken } };
}
