// A selector with matchLabels and matchExpressions as the subject of a policy that is not evaluated.
import { type LabelTest, type Subject, unknownSubject } from '../../../model/recognised-policy.ts';
import { fieldOf, isGiven, listOf, mapOf } from './raw.ts';

/** `subjectOf` gives the meaning of one requirement, because APIs give some keys a meaning of their own. */
export function labelSelector(raw: unknown, subjectOf: (test: LabelTest) => Subject): Subject {
  const map = mapOf(raw);
  if (map === undefined || Object.keys(map).some((key) => key !== 'matchLabels' && key !== 'matchExpressions'))
    return unknownSubject;
  const labels = isGiven(map.matchLabels) ? mapOf(map.matchLabels) : {};
  const expressions = listOf(map.matchExpressions);
  if (labels === undefined || expressions === 'unreadable') return unknownSubject;
  const tests = [...Object.entries(labels).map(([key, value]) => equality(key, value)), ...expressions.map(expression)];
  return { is: 'all', of: tests.map((test) => (test === undefined ? unknownSubject : subjectOf(test))) };
}

/** A test of the labels of pods, with keys as they are. */
export function podTest(test: LabelTest): Subject {
  return { is: 'pod', test };
}

export function namespaceTest(test: LabelTest): Subject {
  return { is: 'namespace', test };
}

function equality(key: string, value: unknown): LabelTest | undefined {
  if (value === null) return { key, operator: 'In', values: [''] };
  return typeof value === 'string' ? { key, operator: 'In', values: [value] } : undefined;
}

function expression(raw: unknown): LabelTest | undefined {
  const [key, operator, values] = [fieldOf(raw, 'key'), fieldOf(raw, 'operator'), listOf(fieldOf(raw, 'values'))];
  if (typeof key !== 'string' || values === 'unreadable' || !values.every((one) => typeof one === 'string'))
    return undefined;
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length === 0 ? undefined : { key, operator, values };
    case 'Exists':
    case 'DoesNotExist':
      return { key, operator, values: [] };
    default:
      return undefined;
  }
}

/** The pods of one namespace. */
export function inNamespace(name: string): Subject {
  return { is: 'namespace-name', test: { key: '', operator: 'In', values: [name] } };
}

/** A namespaced policy selects pods of its own namespace only, whatever its selector says. Empty for a cluster policy. */
export function inOwnNamespace(subject: Subject, namespace: string): Subject {
  return namespace === '' ? subject : { is: 'all', of: [inNamespace(namespace), subject] };
}
