// A namespace whose pods nobody speaks of: everything passes.
import type { LintRule } from '../complaint.ts';
import type { Declaration, Declared } from '../declared.ts';
import { subjectOf } from '../rule-view.ts';

export const noPolicy: LintRule = {
  name: 'no-policy',
  severity: 'medium',
  summary:
    'a namespace with pods and no policy at all: no NetworkPolicy, and no cluster policy that selects a pod of it',
  *find(declared) {
    const ofClusters = clusterPoliciesOf(declared);
    const withPolicy = new Set(declared.policies.map(({ namespace }) => namespace));
    const pods = declared.pods.filter(({ hostNetwork }) => !hostNetwork);
    for (const [namespace, inIt] of Map.groupBy(pods, (pod) => pod.namespace)) {
      if (withPolicy.has(namespace) || inIt.some((pod) => ofClusters.has(pod))) continue;
      const fault = `namespace ${namespace} has pods and no policy at all, so everything passes`;
      const object = declared.namespaces.get(namespace) ?? inIt[0]!.object;
      yield {
        object,
        path: [],
        fault,
        mend: 'begin with a NetworkPolicy that selects all its pods and allows nothing',
      };
    }
  },
};

/** The pods that a policy of the whole cluster has rules for; one that cannot be read may have some for all. */
function clusterPoliciesOf(declared: Declared): Set<Declaration> {
  const touched = new Set<Declaration>();
  for (const policy of declared.policies) {
    if (policy.kind === 'NetworkPolicy') continue;
    if (policy.broken !== undefined) return new Set(declared.pods);
    if (policy.ingress.length === 0 && policy.egress.length === 0) continue;
    for (const pod of declared.podsMeant(subjectOf(policy).pods)) touched.add(pod);
  }
  return touched;
}
