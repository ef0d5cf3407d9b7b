// A verdict is unknown if it depends on policies that are not known for sure at that time: of a kind that is stale, or with
// a missed change. A side that an earlier tier decides does not depend on the later tiers (policy-semantics.md).
import { type AnyPolicy, isPolicyKind, isRecognised, type Policy } from '../../model/kubernetes.ts';
import {
  everyEffect,
  factsOf,
  isRecognisedKind,
  type RecognisedKind,
  type RecognisedPolicy,
} from '../../model/recognised-policy.ts';
import type { Direction, Flow, Party, SideVerdict, StaleKind, Tier, Verdict } from '../../model/verdict.ts';
import { combineSides } from '../../policy/judge.ts';
import { couldChange } from '../../policy/not-evaluated.ts';
import type { PolicyOptions } from '../../policy/options.ts';
import { isOwnNode } from '../../policy/own-node.ts';
import { selects, selectsPod } from '../../policy/selectors.ts';
import { subjectSelects } from '../../policy/subject.ts';
import type { PolicyHistory } from '../identity/policy-history.ts';

type PodParty = Party & { kind: 'pod' };

/** `verdict` is that of the policies as far as they are known. */
export function withStalePolicies(
  verdict: Verdict,
  { initiator, responder }: Flow,
  policies: PolicyHistory,
  timeUs: number,
  options: Pick<PolicyOptions, 'declaredBy'>,
): Verdict {
  if (!policies.gaps.mayDoubt(timeUs)) return verdict;
  const sides = verdict.sides.map((side): SideVerdict => {
    const [own, other] = side.side === 'egress' ? [initiator, responder] : [responder, initiator];
    const kinds = own.kind === 'pod' ? staleKindsOf(side, own, other, policies, timeUs) : [];
    return kinds.length === 0 ? side : { side: side.side, verdict: 'unknown', why: { reason: 'cluster-stale', kinds } };
  });
  return { ...verdict, verdict: combineSides(sides, options), sides };
}

function staleKindsOf(
  side: SideVerdict,
  own: PodParty,
  other: Party,
  policies: PolicyHistory,
  timeUs: number,
): StaleKind[] {
  if (side.verdict === 'unknown') return [];
  const tiers = tiersBehind(side);
  const dependsOnKind = (kind: StaleKind['kind']): boolean => {
    if (isRecognisedKind(kind)) return kindCouldChange(kind, side, own, other);
    return isPolicyKind(kind) && tiersOfKind[kind].some((tier) => tiers.includes(tier));
  };
  const dependsOn = (policy: AnyPolicy): boolean =>
    isRecognised(policy)
      ? recognisedCouldChange(policy, side, own, other)
      : tiers.includes(tierOf(policy)) && selectsSide(policy, own, side.side);
  const stale = policies.gaps.staleKinds.filter(({ kind, sinceUs }) => timeUs > sinceUs && dependsOnKind(kind));
  const uncertain = policies
    .uncertainAt(timeUs)
    .filter(({ policy }) => dependsOn(policy))
    .map(({ policy: { kind }, sinceUs, untilUs }) => ({ kind, sinceUs, untilUs }));
  return distinctKinds([...stale, ...uncertain]);
}

/** Whether any policy of the kind could change the verdict of the side. */
function kindCouldChange(kind: RecognisedKind, side: SideVerdict, own: PodParty, other: Party): boolean {
  const { mayAllow } = factsOf(kind);
  const { allow: _, ...denying } = everyEffect;
  return couldChange(kind, mayAllow ? everyEffect : denying, side, other, isOwnNode(own, other));
}

function recognisedCouldChange(
  { kind, parts }: RecognisedPolicy,
  side: SideVerdict,
  own: PodParty,
  other: Party,
): boolean {
  return parts.some(({ subject, [side.side]: effects }) => {
    if (effects === undefined || subjectSelects(subject, own) === 'no') return false;
    return couldChange(kind, effects, side, other, isOwnNode(own, other));
  });
}

const tiersOfKind: Record<Policy['kind'], readonly Tier[]> = {
  NetworkPolicy: ['NetworkPolicy'],
  ClusterNetworkPolicy: ['Admin', 'Baseline'],
  AdminNetworkPolicy: ['Admin'],
  BaselineAdminNetworkPolicy: ['Baseline'],
};

/** The tiers that the side's verdict depends on. Rules 12 and 22: own node and itself. */
function tiersBehind(side: SideVerdict): readonly Tier[] {
  if (side.verdict === 'unknown') return [];
  if (side.verdict === 'undeclared') return allTiers;
  if (!('decidedBy' in side)) return ['Admin', 'NetworkPolicy'];
  switch (side.decidedBy.tier) {
    case 'Admin':
      return ['Admin'];
    case 'NetworkPolicy':
      return ['Admin', 'NetworkPolicy'];
    case 'Baseline':
      return allTiers;
    case 'always':
      return side.decidedBy.reason === 'itself' || side.side === 'ingress' ? [] : allTiers;
  }
}

const allTiers: readonly Tier[] = ['Admin', 'NetworkPolicy', 'Baseline'];

function tierOf(policy: Policy): Tier {
  return policy.kind === 'NetworkPolicy' ? 'NetworkPolicy' : policy.tier;
}

/** Whether the policy may say anything about that side of the pod. Parts that cannot be read select everything (rule 17). */
function selectsSide(policy: Policy, own: PodParty, side: Direction): boolean {
  const hasSide =
    policy.broken === undefined ? (policy[side]?.length ?? -1) >= minRules(policy) : policy.directions.includes(side);
  if (!hasSide) return false;
  if (policy.kind === 'NetworkPolicy') {
    return (
      policy.namespace === own.namespace && (!policy.podSelector || selectsPod(policy.podSelector, own.labels) !== 'no')
    );
  }
  const { subject } = policy;
  if (subject === undefined) return true;
  const inNamespace = own.namespaceLabelsKnown === false || selects(subject.namespaceSelector, own.namespaceLabels);
  return inNamespace && (!subject.podSelector || selectsPod(subject.podSelector, own.labels) !== 'no');
}

/** A NetworkPolicy without rules isolates; a cluster policy without rules does nothing. */
function minRules({ kind }: Policy): number {
  return kind === 'NetworkPolicy' ? 0 : 1;
}

/** One entry for each kind. */
export function distinctKinds(kinds: readonly StaleKind[]): StaleKind[] {
  return [...new Map(kinds.map((one) => [one.kind, one])).values()];
}
