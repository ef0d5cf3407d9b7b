// What lint holds against a policy, and what a rule of lint is: each is a file in rules/, listed in rules.ts.
import type { Severity } from '../model/finding.ts';
import type { ClusterObject } from '../model/kubernetes.ts';
import type { DeclaredObjects } from './declared-objects.ts';
import type { Path } from './rule-view.ts';

export type RuleComplaint = {
  /** The policy; for a namespace without any, the namespace, or a pod of it where no manifest has the namespace. */
  object: ClusterObject;
  path: Path;
  /** Where it is not the rule's own. */
  severity?: Severity;
  /** What is wrong and what fixes it: lower case, one line, in the user's words. */
  fault: string;
  fix: string;
};

export type LintRule = {
  name: string;
  /** The gravest that it may be. */
  severity: Severity;
  /** What it complains of; docs/lint.md says the same. */
  summary: string;
  find(declared: DeclaredObjects): Iterable<RuleComplaint>;
};

export type Complaint = RuleComplaint & { rule: string; severity: Severity };
