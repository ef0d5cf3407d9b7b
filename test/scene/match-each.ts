// Compares lists strictly: tap's `match` accepts a list that is longer than its pattern.
import type { Test } from 'tap';

/** Each item matches the pattern at its index, and both lists have the same length. */
export function matchEach(t: Test, found: readonly unknown[], patterns: readonly unknown[], name = 'each'): void {
  t.match(found, patterns, name);
  t.equal(found.length, patterns.length, `${name}: no more and no fewer`);
}
