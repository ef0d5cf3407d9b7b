// What a change of the manifests opens and closes: two worlds judged side by side, port by port.
import type { PolicyOptions } from '../policy/options.ts';
import { type Connections, connectionsOf, type Stretch } from './connections.ts';
import type { Filter } from './connectivity.ts';
import { type Line, linesOf, type World } from './lines.ts';
import type { Outcome, Profile } from './profile.ts';

/**
 * `declared`: it passed before as well, and now a rule allows it; `undeclared`: the other way round. `uncertain`: it
 * cannot be told of one of the two.
 */
export const changes = ['opened', 'closed', 'declared', 'undeclared', 'uncertain'] as const;
export type Change = (typeof changes)[number];

/** `absent`: one of the ends is not in those manifests. */
export type Before = Outcome | 'absent';
export type Changed = { key: string; change: Change; before: Before; after: Before; connections: Connections };

export function difference(
  before: World,
  after: World,
  options: PolicyOptions,
  { verdicts, ...filter }: Filter,
): Generator<Line<Changed>> {
  const known = new Map<Profile | undefined, Map<Profile | undefined, readonly Changed[]>>();
  const isAsked = (one: Before) => one !== 'absent' && verdicts.some((verdict) => verdict === one.verdict);
  const tell = ([one, other]: readonly (Profile | undefined)[]): readonly Changed[] => {
    if (one === other) return none;
    let ofOne = known.get(one);
    if (ofOne === undefined) {
      ofOne = new Map();
      known.set(one, ofOne);
    }
    let told = ofOne.get(other);
    if (told === undefined) {
      told = changesBetween(one, other).filter((changed) => isAsked(changed.before) || isAsked(changed.after));
      ofOne.set(other, told);
    }
    return told;
  };
  return linesOf([before, after], options, { ...filter, tell });
}

const none: readonly never[] = [];

type Part = Stretch & { before: Before; after: Before };

function changesBetween(before: Profile | undefined, after: Profile | undefined): Changed[] {
  const parts = sideBySide(before, after).filter((part) => verdictOf(part.before) !== verdictOf(part.after));
  const byChange = Map.groupBy(parts, (part) => `${keyOf(part.before)} -> ${keyOf(part.after)}`);
  return [...byChange].flatMap(([outcomes, of]) => {
    const first = of[0]!;
    const change = changeOf(verdictOf(first.before), verdictOf(first.after));
    if (change === undefined) return [];
    const key = `${outcomes} ${of.map(({ protocol, from, to }) => `${protocol} ${from} ${to}`)}`;
    return [{ key, change, before: first.before, after: first.after, connections: connectionsOf(of) }];
  });
}

/** Stretches in which neither changes. */
function sideBySide(before: Profile | undefined, after: Profile | undefined): Part[] {
  if (before === undefined || after === undefined) {
    const one = before ?? after ?? [];
    return one.map(({ protocol, from, to, outcome }) => ({
      protocol,
      from,
      to,
      before: before === undefined ? 'absent' : outcome,
      after: after === undefined ? 'absent' : outcome,
    }));
  }
  const parts: Part[] = [];
  for (let i = 0, j = 0; i < before.length && j < after.length; ) {
    const [one, other] = [before[i]!, after[j]!];
    const to = Math.min(one.to, other.to);
    const from = Math.max(one.from, other.from);
    parts.push({ protocol: one.protocol, from, to, before: one.outcome, after: other.outcome });
    if (one.to === to) i += 1;
    if (other.to === to) j += 1;
  }
  return parts;
}

type Known = ReturnType<typeof verdictOf>;

/** Undefined: it did not pass, and does not. */
function changeOf(before: Known, after: Known): Change | undefined {
  if (before === 'unknown' || after === 'unknown') return 'uncertain';
  const [passed, passes] = [isPassing(before), isPassing(after)];
  if (!passed && !passes) return undefined;
  if (passed && passes) return after === 'allowed' ? 'declared' : 'undeclared';
  return passes ? 'opened' : 'closed';
}

function isPassing(verdict: Known): boolean {
  return verdict === 'allowed' || verdict === 'undeclared';
}

function verdictOf(one: Before) {
  return one === 'absent' ? one : one.verdict;
}

function keyOf(one: Before): string {
  return one === 'absent' ? one : one.key;
}
