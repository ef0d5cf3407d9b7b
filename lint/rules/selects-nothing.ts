// A policy that selects no pod of the manifests, so it protects nothing.

import { contradictoryKey } from '../../policy/selector-sets.ts';
import type { LintRule } from '../complaint.ts';
import { subjectOf } from '../rule-view.ts';
import { selectorText } from '../text.ts';

export const selectsNothing: LintRule = {
  name: 'selects-nothing',
  severity: 'medium',
  summary: 'a policy that selects no pod or workload in this folder, or only pods on the host network',
  *find(declared) {
    for (const policy of declared.validPolicies) {
      const { pods, selectors } = subjectOf(policy);
      if (selectors.some(({ selector }) => contradictoryKey(selector) !== undefined)) continue;
      const all = declared.podsInScope(pods);
      if (all.some(({ hostNetwork }) => !hostNetwork)) continue;
      const path = policy.kind === 'NetworkPolicy' ? ['spec', 'podSelector'] : ['spec', 'subject'];
      if (all.length > 0) {
        const fault = 'it selects only pods on the host network, and policies do not apply to them';
        yield { object: policy, path, fault, fix: 'remove hostNetwork from the pods, or filter on the nodes' };
        continue;
      }
      if (declared.mayHaveMore(pods.namespace) || declared.maySelectOperatorPods(pods)) continue;
      const texts = selectors.filter(({ selector }) => selector.length > 0);
      const selectorTexts =
        texts.map(({ target, selector }) => `${target} with ${selectorText(selector)}`).join(', ') || 'pods';
      const where = pods.namespace === undefined ? 'this folder' : `namespace ${pods.namespace} of this folder`;
      const fault = `it selects nothing: there are no ${selectorTexts} in ${where}`;
      yield { object: policy, path, fault, fix: 'correct the selector, or add the missing manifests' };
    }
  },
};
