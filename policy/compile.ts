// Splits a policy by direction, once: its reference for verdicts, and its rules for each direction.
import type { ClusterPolicy, ClusterRule, NetworkPolicy, Policy, PolicyRule } from '../model/kubernetes.ts';
import type { Direction, PolicyRef } from '../model/verdict.ts';

/** One NetworkPolicy in a direction that it isolates. A broken policy may isolate it, and has no rules here. */
export type Isolation = { object: NetworkPolicy; policy: PolicyRef; rules: readonly PolicyRule[] };

/** One policy of the Admin or Baseline tier in a direction that it has rules for. A broken policy has no rules here. */
export type TierPolicy = {
  object: ClusterPolicy;
  policy: PolicyRef;
  rules: readonly ClusterRule[];
  /** Set if its subject requires a namespace label that is not known, so it may or may not select the pod. */
  mayNotApply?: true;
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

const mayNotApplyCache = new WeakMap<TierPolicy, TierPolicy>();

/** The same policy, marked because it is not known whether its subject selects the pod. */
export function asMayNotApply(part: TierPolicy): TierPolicy {
  const cached = mayNotApplyCache.get(part);
  if (cached !== undefined) return cached;
  const uncertain: TierPolicy = { ...part, mayNotApply: true };
  mayNotApplyCache.set(part, uncertain);
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
