// A namespace whose pods no policy selects, so all traffic passes.
import { factsOf, type RecognisedPolicy } from '../../model/recognised-policy.ts';
import { policyText } from '../../policy/explain.ts';
import { listText } from '../../policy/list-text.ts';
import { subjectSelects } from '../../policy/subject.ts';
import type { LintRule } from '../complaint.ts';
import type { DeclaredObjects, PodDeclaration } from '../declared-objects.ts';
import { subjectOf } from '../rule-view.ts';

export const noPolicy: LintRule = {
  name: 'no-policy',
  severity: 'medium',
  summary:
    'a namespace with pods but no policy: no NetworkPolicy, and no cluster policy or policy of another API that selects ' +
    'one of its pods',
  *find(declared) {
    const podsOfClusterPolicies = podsWithClusterPolicy(declared);
    const withPolicy = new Set(declared.policies.map(({ namespace }) => namespace));
    const [inNetwork, afterNetwork] = ['in-network', 'after-network'].map((acts) =>
      declared.recognised.filter(({ kind }) => factsOf(kind).acts === acts),
    ) as [RecognisedPolicy[], RecognisedPolicy[]];
    const pods = declared.pods.filter(({ hostNetwork }) => !hostNetwork);
    for (const [namespace, podsInNamespace] of Map.groupBy(pods, (pod) => pod.namespace)) {
      if (declared.mayHaveMore(namespace)) continue;
      if (withPolicy.has(namespace) || podsInNamespace.some((pod) => podsOfClusterPolicies.has(pod))) continue;
      if (inNetwork.some((policy) => mayDeny(policy, podsInNamespace, declared))) continue;
      const later = afterNetwork.filter((policy) => mayDeny(policy, podsInNamespace, declared)).map(policyText);
      const passes =
        later.length === 0
          ? 'so all traffic passes'
          : `so the network passes all traffic (${listText(later, ' and ', maxListed)} may refuse it afterwards)`;
      const fault = `namespace ${namespace} has pods but no policy, ${passes}`;
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

const maxListed = 5;

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

/** Whether it may select one of the pods, and may deny something there. */
function mayDeny({ parts }: RecognisedPolicy, pods: readonly PodDeclaration[], declared: DeclaredObjects): boolean {
  const denying = parts.filter(({ ingress, egress }) =>
    [ingress, egress].some((effects) => effects?.deny === true || effects?.isolate === true),
  );
  return denying.some(({ subject }) =>
    pods.some(({ namespace, labels }) => {
      const known = declared.namespaces.get(namespace);
      const namespaceLabels = known?.labels ?? { 'kubernetes.io/metadata.name': namespace };
      const pod = { namespace, labels, namespaceLabels };
      return subjectSelects(subject, known ? pod : { ...pod, namespaceLabelsKnown: false }) !== 'no';
    }),
  );
}
