// A side of which nothing is said, and why: which rules passed it on, and which policies were asked.
import type { Direction, Passed, PolicyRef, SideVerdict } from '../model/verdict.ts';
import type { Selection } from './policy-set.ts';
import { type Asked, passesOf } from './tiers.ts';

const untouched = {
  egress: { side: 'egress', verdict: 'undeclared' },
  ingress: { side: 'ingress', verdict: 'undeclared' },
} as const;

export function undeclared(selection: Selection, asked: Asked): SideVerdict {
  const { admin, baseline } = selection;
  return admin.length + baseline.length === 0 ? untouched[asked.side] : new Undeclared(selection, asked);
}

/** What was asked is worked out when it is told. */
class Undeclared {
  readonly side: Direction;
  readonly verdict = 'undeclared';
  readonly #selection: Selection;
  readonly #asked: Asked;

  constructor(selection: Selection, asked: Asked) {
    this.side = asked.side;
    this.#selection = selection;
    this.#asked = asked;
  }

  get passed(): readonly Passed[] {
    const { admin, baseline } = this.#selection;
    return [...passesOf(admin, this.#asked), ...passesOf(baseline, this.#asked)];
  }

  get unmatched(): readonly PolicyRef[] {
    const passed = new Set(this.passed.map(({ rule }) => rule.tier !== 'always' && rule.policy));
    const { admin, baseline } = this.#selection;
    return [...admin, ...baseline].flatMap(({ policy }) => (passed.has(policy) ? [] : policy));
  }
}
