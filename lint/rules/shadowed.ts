// Rules 18, 19 and 22: a rule that never decides, because all its connections are decided before.

import { pathText } from '../../model/field-path.ts';
import { policyText } from '../../policy/explain.ts';
import { listText } from '../../policy/list-text.ts';
import type { LintRule, RuleComplaint } from '../complaint.ts';
import type { RuleView } from '../rule-view.ts';
import { type Shadow, ShadowFinder } from '../shadow.ts';

export const shadowed: LintRule = {
  name: 'shadowed',
  severity: 'medium',
  summary:
    'a rule that never decides: an earlier rule or a higher tier decides everything that it matches (`low` if both rules ' +
    'have the same action)',
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
      fault: `its pods are isolated for ${rule.direction} by ${policies}, so the Baseline tier never applies to them`,
      fix: 'write it as a NetworkPolicy rule, or remove it',
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
    fault: `everything that it matches is already ${actionTexts[action]} by ${where} ${pathText(by.path)}${rankText(by, rule)}`,
    fix: isSameAction ? 'remove it' : fixOf(by, rule),
  };
}

const actionTexts = { Accept: 'accepted', Deny: 'denied', Pass: 'passed to lower tiers' };

function rankText(by: RuleView, { tier, policy }: RuleView): string {
  if (by.tier !== tier) return ` (${by.tier} tier)`;
  return by.policy === policy ? '' : ` (priority ${by.priority})`;
}

function fixOf(by: RuleView, rule: RuleView): string {
  if (by.policy === rule.policy) return 'move it before that rule, or remove it';
  return by.tier === rule.tier
    ? `give its policy a priority below ${by.priority}, or remove it`
    : `narrow that rule, change it to Pass, or remove this one`;
}
