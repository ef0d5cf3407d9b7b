// Rule 26: a rule with an unknown form matches nothing, or denies everything.
import type { LintRule } from '../complaint.ts';

export const failsClosed: LintRule = {
  name: 'fails-closed',
  severity: 'high',
  summary:
    'a rule with a peer or protocol of an unknown form: an Accept rule matches nothing, any other denies everything',
  *find({ rules }) {
    for (const { policy, path, action, notUnderstood } of rules) {
      if (notUnderstood === undefined) continue;
      const effect = action === 'Accept' ? 'the rule can never match' : 'the rule denies everything';
      const fault = `${notUnderstood} has an unknown form, so ${effect}`;
      yield { object: policy, path, fault, fix: 'use a peer or protocol that this API version has' };
    }
  },
};
