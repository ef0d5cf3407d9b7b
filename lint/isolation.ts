// Which policies apply to a pod in a direction: the NetworkPolicies that isolate it, and the rules of cluster policies.
import type { NetworkPolicy, Policy } from '../model/kubernetes.ts';
import { factsOf } from '../model/recognised-policy.ts';
import type { Direction } from '../model/verdict.ts';
import { namespaceNameLabel } from '../policy/selector-sets.ts';
import { selectsPod } from '../policy/selectors.ts';
import { type SubjectPod, subjectSelects } from '../policy/subject.ts';
import type { DeclaredObjects, PodDeclaration } from './declared-objects.ts';
import { type RuleView, subjectOf, type ValidPolicy } from './rule-view.ts';

export type ValidNetworkPolicy = NetworkPolicy & { broken?: undefined };

/** The NetworkPolicies that isolate each pod in that direction, in their order. Pods without any are missing. */
export function isolatingPolicies(
  declared: DeclaredObjects,
  direction: Direction,
): Map<PodDeclaration, ValidNetworkPolicy[]> {
  const byPod = new Map<PodDeclaration, ValidNetworkPolicy[]>();
  for (const policy of declared.validPolicies) {
    if (policy.kind !== 'NetworkPolicy' || policy[direction] === undefined) continue;
    for (const pod of declared.selectablePods(subjectOf(policy).pods)) {
      const list = byPod.get(pod);
      if (list === undefined) byPod.set(pod, [policy]);
      else list.push(policy);
    }
  }
  return byPod;
}

/** Pods with the same isolating policies, in the order of the pods. */
export function podsByIsolation(
  declared: DeclaredObjects,
  direction: Direction,
): { policies: readonly ValidNetworkPolicy[]; pods: readonly PodDeclaration[] }[] {
  const groups = new Map<string, { policies: readonly ValidNetworkPolicy[]; pods: PodDeclaration[] }>();
  const isolating = isolatingPolicies(declared, direction);
  for (const pod of declared.pods) {
    const policies = isolating.get(pod);
    if (policies === undefined) continue;
    const key = policies.map(({ namespace, name }) => `${namespace}/${name}`).join(' ');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { policies, pods: [pod] });
    else group.pods.push(pod);
  }
  return [...groups.values()];
}

/** Rules by their policy. */
export function rulesByPolicy(declared: DeclaredObjects): Map<ValidPolicy, RuleView[]> {
  return Map.groupBy(declared.rules, ({ policy }) => policy);
}

/** Whether a policy that is not evaluated, or a document that cannot be read, may have rules for the pod. */
export function mayHaveOtherPolicy(declared: DeclaredObjects, pod: PodDeclaration): boolean {
  if (declared.mayHaveMore(pod.namespace)) return true;
  return declared.policies.some((policy) => mayApplyBroken(policy, pod)) || mayBeRecognised(declared, pod);
}

function mayApplyBroken(policy: Policy, { namespace, labels }: PodDeclaration): boolean {
  if (policy.broken === undefined) return false;
  if (policy.kind !== 'NetworkPolicy') return true;
  if (policy.namespace !== namespace) return false;
  return policy.podSelector === undefined || selectsPod(policy.podSelector, labels) !== 'no';
}

/** A policy of another API that acts on the network. */
function mayBeRecognised(declared: DeclaredObjects, pod: PodDeclaration): boolean {
  return declared.recognised.some(
    ({ kind, parts }) =>
      factsOf(kind).acts === 'in-network' &&
      parts.some(({ subject }) => subjectSelects(subject, subjectPod(declared, pod)) !== 'no'),
  );
}

/** For the selectors of policies of other APIs. */
function subjectPod(declared: DeclaredObjects, { namespace, labels }: PodDeclaration): SubjectPod {
  const known = declared.namespaces.get(namespace);
  if (known !== undefined) return { namespace, labels, namespaceLabels: known.labels };
  const namespaceLabels = { [namespaceNameLabel]: namespace };
  return { namespace, labels, namespaceLabels, namespaceLabelsKnown: false };
}

/** `web, api`: the names of their workloads, in namespace `shop`. */
export function workloadNames(pods: readonly PodDeclaration[]): string[] {
  return [...new Set(pods.map(({ object }) => object.workload.name))];
}
