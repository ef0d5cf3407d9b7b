// The types of a lint rule and of its complaints. Each rule is a file in rules/, listed in rules.ts.

import type { FieldPath } from '../model/field-path.ts';
import type { Severity } from '../model/finding.ts';
import type { ClusterObject } from '../model/kubernetes.ts';
import type { DeclaredObjects } from './declared-objects.ts';

export type RuleComplaint = {
  /**
   * The policy. For a namespace without a policy: the namespace, or one of its pods if the namespace has no manifest. For
   * pods without a policy: one of the pods, or their workload.
   */
  object: ClusterObject;
  path: FieldPath;
  /** Overrides the severity of the rule. */
  severity?: Severity;
  /** What is wrong, and what to do: lower case, one line. */
  fault: string;
  fix: string;
};

export type LintRule = {
  name: string;
  /** The highest severity of its complaints. */
  severity: Severity;
  /** What the rule reports; docs/lint.md has the same text. */
  summary: string;
  find(declared: DeclaredObjects): Iterable<RuleComplaint>;
};

export type Complaint = RuleComplaint & { rule: string; severity: Severity };
