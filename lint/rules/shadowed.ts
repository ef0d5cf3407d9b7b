// Rules 18, 19 and 22: a rule whose every connection is decided before it.
import { policyText } from '../../policy/explain.ts';
import { listText } from '../../policy/list-text.ts';
import type { LintRule, RuleComplaint } from '../complaint.ts';
import type { RuleView } from '../rule-view.ts';
import { type Shadow, ShadowFinder } from '../shadow.ts';
import { pathText } from '../text.ts';

export const shadowed: LintRule = {
  name: 'shadowed',
  severity: 'medium',
  summary:
    'a rule that never decides: a higher tier, a lower priority number or an earlier rule decides all that it matches, or ' +
    'the Baseline tier is never asked. `low` where the outcome is the same',
  *find(declared) {
    const shadows = new ShadowFinder(declared);
    for (const rule of declared.rules) {
      const shadow = shadows.shadowOf(rule);
      if (shadow !== undefined) yield complaintOf(rule, shadow);
    }
  },
};

function complaintOf(rule: RuleView, shadow: Shadow): RuleComplaint {
  const { policy: object, path } = rule;
  if (shadow.by === 'isolation') {
    const policies = listText(shadow.policies.map(policyText));
    return {
      object,
      path,
      fault: `its pods are isolated for ${rule.direction} by ${policies}, and then the Baseline tier is never asked`,
      fix: 'write it as a rule of a NetworkPolicy there, or take it out',
    };
  }
  const { rule: by } = shadow;
  const action = by.notUnderstood === undefined ? by.action : 'Deny';
  const where = by.policy === rule.policy ? 'the earlier rule' : policyText(by.policy);
  const isSameAction = action === rule.action;
  return {
    object,
    path,
    severity: isSameAction ? 'low' : 'medium',
    fault: `all that it matches is ${actionTexts[action]} before by ${where} ${pathText(by.path)}${rankText(by, rule)}`,
    fix: isSameAction ? 'take it out' : fixOf(by, rule),
  };
}

const actionTexts = { Accept: 'accepted', Deny: 'denied', Pass: 'passed to lower tiers' };

function rankText(by: RuleView, { tier, policy }: RuleView): string {
  if (by.tier !== tier) return `, of the ${by.tier} tier`;
  return by.policy === policy ? '' : `, of priority ${by.priority}`;
}

function fixOf(by: RuleView, rule: RuleView): string {
  if (by.policy === rule.policy) return 'move it before that rule, or take it out';
  return by.tier === rule.tier
    ? `give its policy a priority below ${by.priority}, or take it out`
    : `narrow that rule or let it Pass, or take this one out`;
}
