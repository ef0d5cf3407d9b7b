// Selects findings for a list with a limit, so that many findings of one initiator or of one severity do not push out the
// others.
import { type Finding, type Severity, severities } from '../../model/finding.ts';
import { workloadKey } from '../findings/finding-id.ts';

type Listed = Pick<Finding, 'id' | 'initiator'> & { severity: string };

/**
 * At most `last` findings, in the order given. All severities take turns, and so do the initiators of one severity; each
 * shows its newest finding first. `lastSeenOf` gives a time in any unit.
 */
export function fairFindings<One extends Listed>(
  findings: readonly One[],
  last: number,
  lastSeenOf: (finding: One) => number,
): One[] {
  if (findings.length <= last) return [...findings];
  const byAge = (one: One, other: One) => lastSeenOf(other) - lastSeenOf(one) || (one.id < other.id ? -1 : 1);
  const ranked = [...Map.groupBy(findings, ({ severity }) => severity)].flatMap(([severity, ofSeverity]) =>
    inTurns(ofSeverity, ({ initiator }) => workloadKey(initiator), byAge).map((finding, place) => ({
      finding,
      place,
      rank: severities.indexOf(severity as Severity),
    })),
  );
  ranked.sort((a, b) => a.place - b.place || b.rank - a.rank);
  const selected = new Set(ranked.slice(0, last).map(({ finding }) => finding));
  return findings.filter((finding) => selected.has(finding));
}

/** The first of each group, then the second of each, and so on. */
function inTurns<One>(items: readonly One[], groupOf: (item: One) => string, order: (a: One, b: One) => number): One[] {
  const turns = [...Map.groupBy(items, groupOf).values()].flatMap((group) =>
    group.sort(order).map((item, turn) => ({ item, turn })),
  );
  return turns.sort((a, b) => a.turn - b.turn || order(a.item, b.item)).map(({ item }) => item);
}
