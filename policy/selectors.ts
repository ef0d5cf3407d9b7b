// Label selectors: all requirements must hold (rule 16), and an empty selector selects everything (rule 5).
import type { LabelSelector, Labels, Requirement } from '../model/kubernetes.ts';
import { anyOrMissing, isWhole, mayBe } from '../model/label-value.ts';

/** The selector that requires these labels. */
export function labelSelectorOf(labels: Labels): LabelSelector {
  return Object.entries(labels).map(([key, value]) => ({ key, operator: 'In', values: [value] }));
}

/** For an object whose labels and values are all known: a namespace or a node. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  for (const requirement of selector) if (!requirementMatches(requirement, labels)) return false;
  return true;
}

/** `maybe-valued`: the selector requires a value of a label whose value is not known (rule 16a). */
export type PodMatch = 'yes' | 'no' | 'maybe-valued';

/** For a pod: a controller may have chosen the value of a label, such as a hash. */
export function selectsPod(selector: LabelSelector, labels: Labels): PodMatch {
  let undecided = false;
  for (const { key, operator, values } of selector) {
    const value = Object.hasOwn(labels, key) ? labels[key]! : undefined;
    if (value !== undefined && !isWhole(value) && mayDecide(value, values)) undecided = true;
    else if (!valueMatches(value, operator, values)) return 'no';
  }
  return undecided ? 'maybe-valued' : 'yes';
}

/** Whether the requirement depends on the value, or on whether the pod has the label. */
function mayDecide(value: string, values: Requirement['values']): boolean {
  return value === anyOrMissing || values.some((one) => mayBe(value, one));
}

/** For an object whose labels are not all known: a selector that requires an unknown label may select it. */
export function selectsWithPartialLabels(selector: LabelSelector, known: Labels): 'yes' | 'no' | 'maybe-labelled' {
  let undecided = false;
  for (const requirement of selector) {
    if (!Object.hasOwn(known, requirement.key)) undecided = true;
    else if (!requirementMatches(requirement, known)) return 'no';
  }
  return undecided ? 'maybe-labelled' : 'yes';
}

function requirementMatches({ key, operator, values }: Requirement, labels: Labels): boolean {
  return valueMatches(Object.hasOwn(labels, key) ? labels[key]! : undefined, operator, values);
}

/** `NotIn` and `DoesNotExist` hold if the label is missing: then `value` is undefined. */
export function valueMatches(
  value: string | undefined,
  operator: Requirement['operator'],
  values: Requirement['values'],
): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}
