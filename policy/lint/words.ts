// Policies' parts as complaints tell them.
import type { LabelSelector, Requirement } from '../../model/kubernetes.ts';
import { listed } from '../listed.ts';

/** As `kubectl -l` takes it, near enough to search for. */
export function selectorText(selector: LabelSelector): string {
  return listed(selector.map(requirementText), ',');
}

function requirementText({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${listed(values)})`;
    case 'NotIn':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${listed(values)})`;
    case 'Exists':
      return key;
    case 'DoesNotExist':
      return `!${key}`;
  }
}

/** `spec.egress[0].ports[1]`. */
export function pathText(path: readonly (string | number)[]): string {
  return path.map((step, at) => (typeof step === 'number' ? `[${step}]` : at === 0 ? step : `.${step}`)).join('');
}
