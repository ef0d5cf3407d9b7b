// Rule 17: a policy that is not valid is not evaluated.
import type { LintRule } from '../complaint.ts';

export const invalidPolicy: LintRule = {
  name: 'invalid-policy',
  severity: 'high',
  summary: 'a policy that the API server would refuse: it protects nothing, and no other rule checks it',
  *find({ policies }) {
    for (const policy of policies) {
      if (policy.broken === undefined) continue;
      const [first, ...more] = policy.broken;
      const rest = more.length === 0 ? '' : ` (and ${more.length} more)`;
      const fault =
        first === undefined ? 'it is not valid' : `it is not valid: ${first.fault} at ${first.place}${rest}`;
      yield { object: policy, path: [], fault, fix: first?.fix ?? 'fix it' };
    }
  },
};
