// The value of a label that a controller chooses, such as a hash. Only its beginning is known: `web-?` is `web-` and at least
// one more character. No label value can end with `?`, so a written value is never mistaken for such a value.
import type { Labels } from './kubernetes.ts';

const mark = '?';
const markCode = mark.charCodeAt(0);

/** A value of which only this beginning is known. */
export function valueFrom(beginning: string): string {
  return `${beginning}${mark}`;
}

/** Any value, if the pod has the label at all. */
export const anyOrMissing = `*${mark}`;

// hot, once a requirement of each selector: make bench-policy, budget verdict-uncached
export function isWhole(value: string): boolean {
  return value.length === 0 || value.charCodeAt(value.length - 1) !== markCode;
}

/** Whether the value, of which only the beginning is known, may be `whole`. */
export function mayBe(value: string, whole: string): boolean {
  if (value === anyOrMissing) return true;
  return whole.length >= value.length && whole.startsWith(value.slice(0, -1));
}

/** The keys of the labels whose values are not known, in order. */
export function keysWithoutValue(labels: Labels): string[] {
  return Object.keys(labels)
    .filter((key) => !isWhole(labels[key]!))
    .sort();
}
