// What is worked out of one policy, once: its name as verdicts tell it, and what it says of each direction.
import type { ClusterPolicy, ClusterRule, NetworkPolicy, Policy, PolicyRule } from '../model/kubernetes.ts';
import type { Direction, PolicyRef } from '../model/verdict.ts';

/** One NetworkPolicy in one direction that it isolates, or may isolate where it is broken. */
export type Isolation = { object: NetworkPolicy; policy: PolicyRef; rules: readonly PolicyRule[] };

/** One policy of the Admin or Baseline tier in one direction that it speaks of; no rules where it is broken. */
export type TierPolicy = {
  object: ClusterPolicy;
  policy: PolicyRef;
  rules: readonly ClusterRule[];
  /** Its subject asks for a label that the pod's namespace may have: it may touch the pod, or may not. */
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

/** A policy with no rules for a direction does not touch that direction (rule 21). */
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

/** The same where it is not known whether its subject holds the pod. */
export function asMayNotApply(part: TierPolicy): TierPolicy {
  const cached = mayNotApplyCache.get(part);
  if (cached !== undefined) return cached;
  const uncertain: TierPolicy = { ...part, mayNotApply: true };
  mayNotApplyCache.set(part, uncertain);
  return uncertain;
}

/** Undefined where the policy does not isolate that direction; a broken one that may do so has no rules. */
function rulesOf(policy: NetworkPolicy, direction: Direction): readonly PolicyRule[] | undefined {
  if (policy.broken === undefined) return policy[direction];
  return policy.directions.includes(direction) ? [] : undefined;
}

function refOf({ kind, namespace, name }: Policy): PolicyRef {
  return { kind, namespace, name };
}
