// Splits a policy by direction, once: its reference for verdicts, and its rules for each direction.
import type { ClusterPolicy, ClusterRule, NetworkPolicy, Policy, PolicyRule } from '../model/kubernetes.ts';
import type { Direction, PolicyRef } from '../model/verdict.ts';

/** Why it is not known whether a policy selects the pod: it requires a label, or a value, that is not known. */
export type MayNotApply = 'maybe-labelled' | 'maybe-valued';

/** One NetworkPolicy in a direction that it isolates. A broken policy may isolate it, and has no rules here. */
export type Isolation = {
  object: NetworkPolicy;
  policy: PolicyRef;
  rules: readonly PolicyRule[];
  mayNotApply?: MayNotApply;
};

/** One policy of the Admin or Baseline tier in a direction that it has rules for. A broken policy has no rules here. */
export type TierPolicy = {
  object: ClusterPolicy;
  policy: PolicyRef;
  rules: readonly ClusterRule[];
  mayNotApply?: MayNotApply;
};

export type Compiled<Part> = { readonly [Side in Direction]: Part | undefined };

const isolationCache = new WeakMap<NetworkPolicy, Compiled<Isolation>>();
const tierPolicyCache = new WeakMap<ClusterPolicy, Compiled<TierPolicy>>();

export function isClusterPolicy(policy: Policy): policy is ClusterPolicy {
  return policy.kind !== 'NetworkPolicy';
}

export function compiledIsolation(policy: NetworkPolicy): Compiled<Isolation> {
  const cached = isolationCache.get(policy);
  if (cached !== undefined) return cached;
  const ref = refOf(policy);
  const part = (direction: Direction): Isolation | undefined => {
    const rules = rulesOf(policy, direction);
    return rules && { object: policy, policy: ref, rules };
  };
  const compiled = { egress: part('egress'), ingress: part('ingress') };
  isolationCache.set(policy, compiled);
  return compiled;
}

/** A policy without rules for a direction has no effect in that direction (rule 21). */
export function compiledTierPolicy(policy: ClusterPolicy): Compiled<TierPolicy> {
  const cached = tierPolicyCache.get(policy);
  if (cached !== undefined) return cached;
  const ref = refOf(policy);
  const part = (direction: Direction): TierPolicy | undefined => {
    if (policy.broken !== undefined) {
      return policy.directions.includes(direction) ? { object: policy, policy: ref, rules: [] } : undefined;
    }
    return policy[direction].length > 0 ? { object: policy, policy: ref, rules: policy[direction] } : undefined;
  };
  const compiled = { egress: part('egress'), ingress: part('ingress') };
  tierPolicyCache.set(policy, compiled);
  return compiled;
}

const mayNotApplyCaches = {
  'maybe-labelled': new WeakMap<Isolation | TierPolicy, Isolation | TierPolicy>(),
  'maybe-valued': new WeakMap<Isolation | TierPolicy, Isolation | TierPolicy>(),
};

/** The same policy, marked because it is not known whether it selects the pod. The first mark stays. */
export function asMayNotApply<Part extends Isolation | TierPolicy>(part: Part, why: MayNotApply): Part {
  if (part.mayNotApply !== undefined) return part;
  const cached = mayNotApplyCaches[why].get(part);
  if (cached !== undefined) return cached as Part;
  const uncertain: Part = { ...part, mayNotApply: why };
  mayNotApplyCaches[why].set(part, uncertain);
  return uncertain;
}

/** Undefined if the policy does not isolate that direction; empty if it is broken and may isolate it. */
function rulesOf(policy: NetworkPolicy, direction: Direction): readonly PolicyRule[] | undefined {
  if (policy.broken === undefined) return policy[direction];
  return policy.directions.includes(direction) ? [] : undefined;
}

function refOf({ kind, namespace, name }: Policy): PolicyRef {
  return { kind, namespace, name };
}
