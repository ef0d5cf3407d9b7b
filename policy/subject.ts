// Whether a recognised policy selects a pod. The answer is `maybe` if it depends on something that is not known.
import type { Labels } from '../model/kubernetes.ts';
import { anyOrMissing, isWhole, mayBe } from '../model/label-value.ts';
import type { LabelTest, Subject } from '../model/recognised-policy.ts';
import type { PodParty } from './peers.ts';
import { valueMatches } from './selectors.ts';

export type Certainty = 'yes' | 'no' | 'maybe';

export type SubjectPod = Pick<PodParty, 'namespace' | 'labels' | 'namespaceLabels' | 'namespaceLabelsKnown'>;

export function subjectSelects(subject: Subject, pod: SubjectPod): Certainty {
  switch (subject.is) {
    case 'all':
      return heaviest(subject.of, pod, 'no', 'yes');
    case 'any':
      return heaviest(subject.of, pod, 'yes', 'no');
    case 'not':
      return opposites[subjectSelects(subject.of, pod)];
    case 'pod':
      if (dependsOnUnknownValue(subject.test, pod.labels)) return 'maybe';
      return testMatches(subject.test, pod.labels) ? 'yes' : 'no';
    case 'namespace':
      if (pod.namespaceLabelsKnown === false && !Object.hasOwn(pod.namespaceLabels, subject.test.key)) return 'maybe';
      return testMatches(subject.test, pod.namespaceLabels) ? 'yes' : 'no';
    case 'namespace-name':
      return testMatches(subject.test, { [subject.test.key]: pod.namespace }) ? 'yes' : 'no';
    case 'unknown':
      return 'maybe';
  }
}

const opposites = { yes: 'no', no: 'yes', maybe: 'maybe' } as const;

/** `deciding` if one of them is that; else `maybe` if one is; else `other`. */
function heaviest(subjects: readonly Subject[], pod: SubjectPod, deciding: Certainty, other: Certainty): Certainty {
  let result = other;
  for (const one of subjects) {
    const selected = subjectSelects(one, pod);
    if (selected === deciding) return deciding;
    if (selected === 'maybe') result = 'maybe';
  }
  return result;
}

/** Whether the test is about a value that a controller chooses (rule 16a). */
function dependsOnUnknownValue({ key, operator, values }: LabelTest, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key]! : '';
  if (value === anyOrMissing) return true;
  if (isWhole(value) || operator === 'Exists' || operator === 'DoesNotExist') return false;
  return operator === 'In' || operator === 'NotIn' ? values.some((one) => mayBe(value, one)) : true;
}

/** Negative tests hold if the key is missing. */
function testMatches({ key, operator, values }: LabelTest, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key]! : undefined;
  switch (operator) {
    case 'Contains':
      return value?.includes(values[0]!) ?? false;
    case 'StartsWith':
      return value?.startsWith(values[0]!) ?? false;
    case 'EndsWith':
      return value?.endsWith(values[0]!) ?? false;
    default:
      return valueMatches(value, operator, values);
  }
}
