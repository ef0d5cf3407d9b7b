// Label selectors as text, in the syntax of `kubectl -l`.
import type { LabelSelector, Requirement } from '../model/kubernetes.ts';

/** The whole selector: every requirement with all its values. */
export function wholeSelectorText(selector: LabelSelector): string {
  return [...new Set(selector.map((one) => requirementText(one, (values) => values.join(', '))))].join(',');
}

/** `valuesText` may shorten a long list of values. */
export function requirementText(
  { key, operator, values }: Requirement,
  valuesText: (values: readonly string[]) => string,
): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${valuesText(values)})`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${valuesText(values)})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
  }
}
