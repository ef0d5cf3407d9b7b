// The policies that are judged by, so kept that those that select a pod are found at once. Immutable; making it again
// after a change costs a walk over the policies, for what was worked out of each of them stays.
import type { Labels, NetworkPolicy, PolicyRule } from '../model/kubernetes.ts';
import type { Direction, PolicyRef } from '../model/verdict.ts';
import type { PodParty } from './peers.ts';
import { selects } from './selectors.ts';

/** What selects a pod in one direction. `broken`: may select it, and nobody can tell what it says (rule 17). */
export type Selection = { isolating: readonly Isolation[]; broken: readonly PolicyRef[] };
/** One policy in one direction that it isolates. */
export type Isolation = { policy: PolicyRef; rules: readonly PolicyRule[] };

export type PolicySet = { readonly byNamespace: ReadonlyMap<string, NamespacePolicies> };

type NamespacePolicies = Record<Direction, DirectionPolicies>;
type DirectionPolicies = {
  readonly policies: CompiledDirection[];
  /** By the labels object: a pod keeps it as long as its labels stay the same. */
  readonly selected: WeakMap<Labels, Selection>;
};

type Compiled = { ref: PolicyRef; egress?: CompiledDirection; ingress?: CompiledDirection };
type CompiledDirection = { policy: NetworkPolicy; isolation: Isolation };

const sets = new WeakMap<readonly NetworkPolicy[], PolicySet>();
const compiledPolicies = new WeakMap<NetworkPolicy, Compiled>();
const nothing: Selection = { isolating: [], broken: [] };

/** The same array gives the same set: whoever changes a policy makes a new array. */
export function compilePolicies(policies: readonly NetworkPolicy[]): PolicySet {
  const known = sets.get(policies);
  if (known !== undefined) return known;
  const byNamespace = new Map<string, NamespacePolicies>();
  for (const policy of policies) {
    const namespace = byNamespace.get(policy.namespace) ?? { egress: emptyDirection(), ingress: emptyDirection() };
    byNamespace.set(policy.namespace, namespace);
    const { egress, ingress } = compiled(policy);
    if (egress !== undefined) namespace.egress.policies.push(egress);
    if (ingress !== undefined) namespace.ingress.policies.push(ingress);
  }
  const set = { byNamespace };
  sets.set(policies, set);
  return set;
}

/** Which policies isolate the pod in that direction (rule 1). */
export function selectionOf(set: PolicySet, pod: PodParty, direction: Direction): Selection {
  const inNamespace = set.byNamespace.get(pod.namespace)?.[direction];
  if (inNamespace === undefined) return nothing;
  const known = inNamespace.selected.get(pod.labels);
  if (known !== undefined) return known;
  const selection = select(inNamespace.policies, pod.labels);
  inNamespace.selected.set(pod.labels, selection);
  return selection;
}

function select(policies: readonly CompiledDirection[], labels: Labels): Selection {
  const isolating: Isolation[] = [];
  const broken: PolicyRef[] = [];
  for (const { policy, isolation } of policies) {
    // A broken policy whose selector cannot be read may select every pod.
    if (policy.podSelector !== undefined && !selects(policy.podSelector, labels)) continue;
    if (policy.broken === undefined) isolating.push(isolation);
    else broken.push(isolation.policy);
  }
  return isolating.length === 0 && broken.length === 0 ? nothing : { isolating, broken };
}

function emptyDirection(): DirectionPolicies {
  return { policies: [], selected: new WeakMap() };
}

function compiled(policy: NetworkPolicy): Compiled {
  const known = compiledPolicies.get(policy);
  if (known !== undefined) return known;
  const { namespace, name } = policy;
  const ref: PolicyRef = { kind: 'NetworkPolicy', namespace, name };
  const egress = rulesOf(policy, 'egress');
  const ingress = rulesOf(policy, 'ingress');
  const fresh: Compiled = {
    ref,
    ...(egress && { egress: { policy, isolation: { policy: ref, rules: egress } } }),
    ...(ingress && { ingress: { policy, isolation: { policy: ref, rules: ingress } } }),
  };
  compiledPolicies.set(policy, fresh);
  return fresh;
}

/** Undefined where the policy does not isolate that direction; a broken one that may do so has no rules. */
function rulesOf(policy: NetworkPolicy, direction: Direction): readonly PolicyRule[] | undefined {
  if (policy.broken === undefined) return policy[direction];
  return policy.directions.includes(direction) ? [] : undefined;
}
