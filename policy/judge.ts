// Evaluates one connection by the policies: first each side, then both together.
// Pure: the same arguments give the same verdict. Rules: docs/policy-semantics.md.
import { hasPorts } from '../model/protocol.ts';
import type { Direction, Flow, Party, SideVerdict, Verdict } from '../model/verdict.ts';
import { judgeNetworkPolicies } from './network-policies.ts';
import { unlessNotEvaluated } from './not-evaluated.ts';
import type { PolicyOptions } from './options.ts';
import { alwaysAllowed, isItself, isOwnNode, unknownIfMaybeOwnNode } from './own-node.ts';
import type { PodParty } from './peers.ts';
import { type PolicySet, type Selection, selectionOf } from './policy-set.ts';
import { isEmptyLayer } from './recognised-layer.ts';
import { judgeTier } from './tiers.ts';
import { maybeIsolated, maybeIsolatedFromOwnNode } from './uncertain-policies.ts';
import { undeclared } from './undeclared.ts';

/**
 * Evaluates initiator -> responder by `policies`; the caller passes those in force when the connection began. Replies are
 * part of the connection (rule 4). A broken policy does not throw: a verdict that it could change is `unknown` (rule 17).
 */
export function judge(flow: Flow, policies: PolicySet, options: PolicyOptions): Verdict {
  const { initiator, responder } = flow;
  const sides: SideVerdict[] = [];
  if (initiator.kind === 'pod') sides.push(judgeSide('egress', initiator, responder, flow, policies, options));
  if (responder.kind === 'pod') sides.push(judgeSide('ingress', responder, initiator, flow, policies, options));
  const { unread } = policies;
  if (sides.length === 0 && unread.length > 0)
    return { verdict: 'unknown', sides, why: { reason: 'unread-documents', documents: unread } };
  const verdict = combineSides(sides, options);
  const judged: Verdict = hasPorts(flow.protocol) ? { verdict, sides } : { verdict, sides, undefinedByApi: true };
  if (responder.kind !== 'pod' || isEmptyLayer(policies.recognised.ingress)) return judged;
  const { afterNetworkPolicies: afterNetwork } = selectionOf(policies, responder, 'ingress');
  return afterNetwork.length === 0 ? judged : { ...judged, afterNetwork };
}

/** One side alone: `egress` of the initiator or `ingress` of the responder. Undefined if that end is not a pod. */
export function judgeOneSide(
  side: Direction,
  flow: Flow,
  policies: PolicySet,
  options: PolicyOptions,
): SideVerdict | undefined {
  const [own, other] = side === 'egress' ? [flow.initiator, flow.responder] : [flow.responder, flow.initiator];
  return own.kind === 'pod' ? judgeSide(side, own, other, flow, policies, options) : undefined;
}

export const verdictPrecedence = {
  any: ['denied', 'unknown', 'allowed'],
  every: ['denied', 'unknown', 'undeclared', 'allowed'],
} as const;

/** `denied` on one side outweighs `unknown` on the other, and `unknown` outweighs `allowed`. No side: undeclared. */
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
  const selection = selectionOf(policies, own, side);
  const verdict = judgeEvaluated(side, own, other, flow, selection, ownNode, options);
  return unlessNotEvaluated(verdict, selection.recognised, other, ownNode);
}

/** The verdict of the policies that are evaluated. */
function judgeEvaluated(
  side: Direction,
  own: PodParty,
  other: Party,
  flow: Flow,
  selection: Selection,
  ownNode: boolean,
  options: PolicyOptions,
): SideVerdict {
  if (ownNode && side === 'ingress') return alwaysAllowed(side, 'own-node');
  const context = { side, own, other, flow };
  // Rules 18 and 12: an egress rule of a cluster policy comes before the rule that a pod may always reach its own node.
  const verdict = judgeTier(selection.admin, context, () => {
    const judgeBaseline = () =>
      judgeTier(selection.baseline, context, () =>
        ownNode ? alwaysAllowed(side, 'own-node') : undeclared(selection, context),
      );
    if (ownNode) return maybeIsolatedFromOwnNode(judgeOwnNode(side, selection, judgeBaseline), selection, own);
    const certain = judgeNetworkPolicies(side, selection, own, other, flow, options) ?? judgeBaseline();
    return selection.uncertain.length === 0 ? certain : maybeIsolated(certain, selection, context, options);
  });
  return side === 'ingress' && verdict.verdict === 'denied' ? unknownIfMaybeOwnNode(verdict, own, other) : verdict;
}

/** Egress to the own node: a NetworkPolicy that isolates the side always allows it, and is final (rule 22). */
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
