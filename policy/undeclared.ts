// A side that no policy covers, with the rules that passed it on and the policies whose rules did not match.
import type { Direction, PassMatch, PolicyRef, SideVerdict } from '../model/verdict.ts';
import type { Selection } from './policy-set.ts';
import { passMatchesOf, type SideContext } from './tiers.ts';

const notSelected = {
  egress: { side: 'egress', verdict: 'undeclared' },
  ingress: { side: 'ingress', verdict: 'undeclared' },
} as const;

export function undeclared(selection: Selection, context: SideContext): SideVerdict {
  const { admin, baseline } = selection;
  return admin.length + baseline.length === 0 ? notSelected[context.side] : new LazyUndeclared(selection, context);
}

/** Computes its lists on first use, because few are shown. */
class LazyUndeclared {
  readonly side: Direction;
  readonly verdict = 'undeclared';
  readonly #selection: Selection;
  readonly #context: SideContext;

  constructor(selection: Selection, context: SideContext) {
    this.side = context.side;
    this.#selection = selection;
    this.#context = context;
  }

  get passMatches(): readonly PassMatch[] {
    const { admin, baseline } = this.#selection;
    return [...passMatchesOf(admin, this.#context), ...passMatchesOf(baseline, this.#context)];
  }

  get unmatched(): readonly PolicyRef[] {
    const passMatches = new Set(this.passMatches.map(({ rule }) => rule.tier !== 'always' && rule.policy));
    const { admin, baseline } = this.#selection;
    return [...admin, ...baseline].flatMap(({ policy }) => (passMatches.has(policy) ? [] : policy));
  }
}
