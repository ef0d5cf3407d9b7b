// Rule 26: what has no form that we know allows nothing, or denies everything.
import type { LintRule } from '../complaint.ts';

export const failsClosed: LintRule = {
  name: 'fails-closed',
  severity: 'high',
  summary:
    'a rule with a peer or protocol of no known form: one that accepts matches nothing, any other denies everything',
  *find({ rules }) {
    for (const { policy, path, action, notUnderstood } of rules) {
      if (notUnderstood === undefined) continue;
      const effect = action === 'Accept' ? 'the rule can never match' : 'the rule denies everything';
      const fault = `${notUnderstood} is of no form known here, so ${effect}`;
      yield { object: policy, path, fault, fix: 'write the peer or protocol in a form that this API version has' };
    }
  },
};
