// Checks declared policies without traffic. Pure: the same objects give the same complaints in the same order.

import type { FieldPath } from '../model/field-path.ts';
import { severities } from '../model/finding.ts';
import type { Complaint, LintRule } from './complaint.ts';
import { compare, type DeclaredObjects } from './declared-objects.ts';

/** Ordered by severity, highest first, then by namespace, object, field and rule. */
export function lint(declared: DeclaredObjects, rules: readonly LintRule[]): Complaint[] {
  return rules.flatMap((rule) => complaintsOf(rule, declared)).sort(inOrder);
}

function complaintsOf(rule: LintRule, declared: DeclaredObjects): Complaint[] {
  return Array.from(rule.find(declared), (found) => ({ rule: rule.name, severity: rule.severity, ...found }));
}

function inOrder(a: Complaint, b: Complaint): number {
  return (
    severities.indexOf(b.severity) - severities.indexOf(a.severity) ||
    compare(a.object.namespace, b.object.namespace) ||
    compare(a.object.kind, b.object.kind) ||
    compare(a.object.name, b.object.name) ||
    byPath(a.path, b.path) ||
    compare(a.rule, b.rule) ||
    compare(a.fault, b.fault)
  );
}

function byPath(a: FieldPath, b: FieldPath): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const [one, other] = [a[at]!, b[at]!];
    const order = typeof one === 'number' && typeof other === 'number' ? one - other : compare(`${one}`, `${other}`);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
