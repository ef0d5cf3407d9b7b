// Rule 2: rules have no effect in a direction that `policyTypes` does not list.
import type { LintRule } from '../complaint.ts';

export const directionLeftOut: LintRule = {
  name: 'direction-left-out',
  severity: 'high',
  summary: 'rules of a direction that `policyTypes` does not list: they can never match, and the direction stays open',
  *find(declared) {
    for (const policy of declared.validPolicies) {
      if (policy.kind !== 'NetworkPolicy') continue;
      for (const [direction, type] of directions) {
        const rules = declared.manifestFields(policy)?.value(['spec', direction]);
        if (policy[direction] !== undefined || !Array.isArray(rules) || rules.length === 0) continue;
        const fault = `its rules can never match: policyTypes has no ${type}, so ${direction} stays open`;
        yield { object: policy, path: ['spec', direction], fault, fix: `add ${type} to policyTypes` };
      }
    }
  },
};

const directions = [
  ['egress', 'Egress'],
  ['ingress', 'Ingress'],
] as const;
