// A namespace whose pods no policy selects, so all traffic passes.
import type { LintRule } from '../complaint.ts';
import type { DeclaredObjects, PodDeclaration } from '../declared-objects.ts';
import { subjectOf } from '../rule-view.ts';

export const noPolicy: LintRule = {
  name: 'no-policy',
  severity: 'medium',
  summary: 'a namespace with pods but no policy: no NetworkPolicy, and no cluster policy that selects one of its pods',
  *find(declared) {
    const podsOfClusterPolicies = podsWithClusterPolicy(declared);
    const withPolicy = new Set(declared.policies.map(({ namespace }) => namespace));
    const pods = declared.pods.filter(({ hostNetwork }) => !hostNetwork);
    for (const [namespace, podsInNamespace] of Map.groupBy(pods, (pod) => pod.namespace)) {
      if (declared.mayHaveMore(namespace)) continue;
      if (withPolicy.has(namespace) || podsInNamespace.some((pod) => podsOfClusterPolicies.has(pod))) continue;
      const fault = `namespace ${namespace} has pods but no policy, so all traffic passes`;
      const object = declared.namespaces.get(namespace) ?? podsInNamespace[0]!.object;
      yield {
        object,
        path: [],
        fault,
        fix: 'start with a NetworkPolicy that selects all its pods and allows nothing',
      };
    }
  },
};

/** The pods that a cluster policy has rules for. A broken one may have rules for all pods. */
function podsWithClusterPolicy(declared: DeclaredObjects): Set<PodDeclaration> {
  const selected = new Set<PodDeclaration>();
  for (const policy of declared.policies) {
    if (policy.kind === 'NetworkPolicy') continue;
    if (policy.broken !== undefined) return new Set(declared.pods);
    if (policy.ingress.length === 0 && policy.egress.length === 0) continue;
    for (const pod of declared.selectablePods(subjectOf(policy).pods)) selected.add(pod);
  }
  return selected;
}
