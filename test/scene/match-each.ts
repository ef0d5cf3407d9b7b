// tap's `match` lets a list be longer than its pattern.
import type { Test } from 'tap';

/** Each thing matches the pattern at its place, and there are no more of them. */
export function matchEach(t: Test, found: readonly unknown[], patterns: readonly unknown[], name = 'each'): void {
  t.match(found, patterns, name);
  t.equal(found.length, patterns.length, `${name}: no more and no fewer`);
}
