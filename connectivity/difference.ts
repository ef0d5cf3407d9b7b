// The connections that a change of the manifests opens and closes: compares two sets of manifests, port by port.
import type { PolicyOptions } from '../policy/options.ts';
import { type ConnectionSet, connectionSetOf, type PortSegment } from './connection-set.ts';
import type { Filter } from './connectivity.ts';
import { type ClusterState, type Line, linesOf } from './lines.ts';
import type { PortVerdict, Profile } from './profile.ts';

/**
 * `declared`: it was undeclared, and now a rule allows it. `undeclared`: a rule allowed it, and now it is undeclared.
 * `uncertain`: one of the two verdicts is `unknown`.
 */
export const changeKinds = ['opened', 'closed', 'declared', 'undeclared', 'uncertain'] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** `absent`: the manifests do not have one of the ends. */
export type VerdictOrAbsent = PortVerdict | 'absent';
export type ChangedConnections = {
  key: string;
  change: ChangeKind;
  before: VerdictOrAbsent;
  after: VerdictOrAbsent;
  connections: ConnectionSet;
};

export function difference(
  before: ClusterState,
  after: ClusterState,
  options: PolicyOptions,
  { verdicts, ...filter }: Filter,
): Generator<Line<ChangedConnections>> {
  const entriesByProfiles = new Map<Profile | undefined, Map<Profile | undefined, readonly ChangedConnections[]>>();
  const isIncluded = (one: VerdictOrAbsent) => one !== 'absent' && verdicts.some((verdict) => verdict === one.verdict);
  const entriesOf = ([one, other]: readonly (Profile | undefined)[]): readonly ChangedConnections[] => {
    if (one === other) return noEntries;
    let entriesByAfter = entriesByProfiles.get(one);
    if (entriesByAfter === undefined) {
      entriesByAfter = new Map();
      entriesByProfiles.set(one, entriesByAfter);
    }
    let entries = entriesByAfter.get(other);
    if (entries === undefined) {
      entries = changesBetween(one, other).filter((changed) => isIncluded(changed.before) || isIncluded(changed.after));
      entriesByAfter.set(other, entries);
    }
    return entries;
  };
  return linesOf([before, after], options, { ...filter, entriesOf });
}

const noEntries: readonly never[] = [];

type ComparedSegment = PortSegment & { before: VerdictOrAbsent; after: VerdictOrAbsent };

function changesBetween(before: Profile | undefined, after: Profile | undefined): ChangedConnections[] {
  const segments = alignedSegments(before, after).filter(
    (segment) => verdictOf(segment.before) !== verdictOf(segment.after),
  );
  const byChange = Map.groupBy(segments, (segment) => `${keyOf(segment.before)} -> ${keyOf(segment.after)}`);
  return [...byChange].flatMap(([outcomes, group]) => {
    const first = group[0]!;
    const change = changeOf(verdictOf(first.before), verdictOf(first.after));
    if (change === undefined) return [];
    const key = `${outcomes} ${group.map(({ protocol, from, to }) => `${protocol} ${from} ${to}`)}`;
    return [{ key, change, before: first.before, after: first.after, connections: connectionSetOf(group) }];
  });
}

/** Splits both profiles into the same segments. */
function alignedSegments(before: Profile | undefined, after: Profile | undefined): ComparedSegment[] {
  if (before === undefined || after === undefined) {
    const one = before ?? after ?? [];
    return one.map(({ portVerdict, ...segment }) => ({
      ...segment,
      before: before === undefined ? 'absent' : portVerdict,
      after: after === undefined ? 'absent' : portVerdict,
    }));
  }
  const segments: ComparedSegment[] = [];
  for (let i = 0, j = 0; i < before.length && j < after.length; ) {
    const [one, other] = [before[i]!, after[j]!];
    const to = Math.min(one.to, other.to);
    const from = Math.max(one.from, other.from);
    const { protocol, name } = one;
    segments.push({
      protocol,
      from,
      to,
      ...(name !== undefined && { name }),
      before: one.portVerdict,
      after: other.portVerdict,
    });
    if (one.to === to) i += 1;
    if (other.to === to) j += 1;
  }
  return segments;
}

type VerdictNameOrAbsent = ReturnType<typeof verdictOf>;

/** Undefined if the connection neither passed before nor passes now. */
function changeOf(before: VerdictNameOrAbsent, after: VerdictNameOrAbsent): ChangeKind | undefined {
  if (before === 'unknown' || after === 'unknown') return 'uncertain';
  const [passed, passes] = [isPassing(before), isPassing(after)];
  if (!passed && !passes) return undefined;
  if (passed && passes) return after === 'allowed' ? 'declared' : 'undeclared';
  return passes ? 'opened' : 'closed';
}

function isPassing(verdict: VerdictNameOrAbsent): boolean {
  return verdict === 'allowed' || verdict === 'undeclared';
}

function verdictOf(one: VerdictOrAbsent) {
  return one === 'absent' ? one : one.verdict;
}

function keyOf(one: VerdictOrAbsent): string {
  return one === 'absent' ? one : one.key;
}
