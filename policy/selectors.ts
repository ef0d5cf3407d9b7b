// Label selectors: all requirements are needed (rule 16), and none at all selects everything (rule 5).
import type { LabelSelector, Labels, Requirement } from '../model/kubernetes.ts';

export function selects(selector: LabelSelector, labels: Labels): boolean {
  for (const requirement of selector) if (!requirementMatches(requirement, labels)) return false;
  return true;
}

/** Where the object may have labels beside those that are known, one that asks for any other may select it. */
export function selectsWithPartialLabels(selector: LabelSelector, known: Labels): 'yes' | 'no' | 'maybe-labelled' {
  let undecided = false;
  for (const requirement of selector) {
    if (!Object.hasOwn(known, requirement.key)) undecided = true;
    else if (!requirementMatches(requirement, known)) return 'no';
  }
  return undecided ? 'maybe-labelled' : 'yes';
}

/** `NotIn` and `DoesNotExist` hold where the key is missing. */
function requirementMatches({ key, operator, values }: Requirement, labels: Labels): boolean {
  const has = Object.hasOwn(labels, key);
  switch (operator) {
    case 'In':
      return has && values.includes(labels[key]!);
    case 'NotIn':
      return !has || !values.includes(labels[key]!);
    case 'Exists':
      return has;
    case 'DoesNotExist':
      return !has;
  }
}
