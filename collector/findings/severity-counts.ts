// How many connections of a finding have which severity: the finding has that of its gravest connection.
import { type Finding, type Severity, type SeverityCounts, severities } from '../../model/finding.ts';

/** A count may be below 0 while a part of the finding is only in the store. */
export function addSeverities(counts: SeverityCounts, more: SeverityCounts): SeverityCounts {
  const sum: SeverityCounts = {};
  for (const severity of severities) {
    const count = (counts[severity] ?? 0) + (more[severity] ?? 0);
    if (count !== 0) sum[severity] = count;
  }
  return sum;
}

/** Undefined if no connection counts. */
export function gravestOf(counts: SeverityCounts): Severity | undefined {
  return severities.findLast((severity) => (counts[severity] ?? 0) > 0);
}

export function countsOf({ severity, connections, severityCounts }: Finding): SeverityCounts {
  return severityCounts ?? (connections === 0 ? {} : { [severity]: connections });
}

/** Nothing if all connections have the severity of the finding. */
export function storedCounts(counts: SeverityCounts): Pick<Finding, 'severityCounts'> {
  return Object.keys(counts).length > 1 ? { severityCounts: counts } : {};
}
