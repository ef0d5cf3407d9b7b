// What is worked out of one policy, once: its name as verdicts tell it, and what it says of each direction.
import type { ClusterPolicy, ClusterRule, NetworkPolicy, Policy, PolicyRule } from '../model/kubernetes.ts';
import type { Direction, PolicyRef } from '../model/verdict.ts';

/** One NetworkPolicy in one direction that it isolates, or may isolate where it is broken. */
export type Isolation = { of: NetworkPolicy; policy: PolicyRef; rules: readonly PolicyRule[] };

/** One policy of the Admin or Baseline tier in one direction that it speaks of; no rules where it is broken. */
export type Tiered = {
  of: ClusterPolicy;
  policy: PolicyRef;
  rules: readonly ClusterRule[];
  /** Its subject asks for a label that the pod's namespace may have: it may touch the pod, or may not. */
  mayNotTouch?: true;
};

export type Compiled<Part> = { readonly [Side in Direction]: Part | undefined };

const isolations = new WeakMap<NetworkPolicy, Compiled<Isolation>>();
const tiereds = new WeakMap<ClusterPolicy, Compiled<Tiered>>();

export function isClusterPolicy(policy: Policy): policy is ClusterPolicy {
  return policy.kind !== 'NetworkPolicy';
}

export function compiledIsolation(policy: NetworkPolicy): Compiled<Isolation> {
  const known = isolations.get(policy);
  if (known !== undefined) return known;
  const ref = refOf(policy);
  const part = (direction: Direction): Isolation | undefined => {
    const rules = rulesOf(policy, direction);
    return rules && { of: policy, policy: ref, rules };
  };
  const fresh = { egress: part('egress'), ingress: part('ingress') };
  isolations.set(policy, fresh);
  return fresh;
}

/** A policy with no rules for a direction does not touch that direction (rule 21). */
export function compiledTiered(policy: ClusterPolicy): Compiled<Tiered> {
  const known = tiereds.get(policy);
  if (known !== undefined) return known;
  const ref = refOf(policy);
  const part = (direction: Direction): Tiered | undefined => {
    if (policy.broken !== undefined) {
      return policy.directions.includes(direction) ? { of: policy, policy: ref, rules: [] } : undefined;
    }
    return policy[direction].length > 0 ? { of: policy, policy: ref, rules: policy[direction] } : undefined;
  };
  const fresh = { egress: part('egress'), ingress: part('ingress') };
  tiereds.set(policy, fresh);
  return fresh;
}

const doubted = new WeakMap<Tiered, Tiered>();

/** The same where it is not known whether its subject holds the pod. */
export function mayNotTouch(part: Tiered): Tiered {
  const known = doubted.get(part);
  if (known !== undefined) return known;
  const fresh: Tiered = { ...part, mayNotTouch: true };
  doubted.set(part, fresh);
  return fresh;
}

/** Undefined where the policy does not isolate that direction; a broken one that may do so has no rules. */
function rulesOf(policy: NetworkPolicy, direction: Direction): readonly PolicyRule[] | undefined {
  if (policy.broken === undefined) return policy[direction];
  return policy.directions.includes(direction) ? [] : undefined;
}

function refOf({ kind, namespace, name }: Policy): PolicyRef {
  return { kind, namespace, name };
}
