// Where the policies that are declared elsewhere, as in Git, would say something else of a connection that was seen.
import type { Assessed } from '../../model/assessed.ts';
import type { Severity } from '../../model/finding.ts';
import type { Verdict, VerdictName } from '../../model/verdict.ts';
import { verdictJson } from '../../policy/explain.ts';
import { carriageOf, type Held } from './rule.ts';

export type Drift = Held & { kind: 'drift' };

/** Nothing where either is unknown: a doubt is no difference. */
export function driftOf({ connection, verdict, elsewhere }: Assessed): Drift | undefined {
  if (elsewhere === undefined || elsewhere.verdict === verdict.verdict) return undefined;
  if (elsewhere.verdict === 'unknown' || verdict.verdict === 'unknown') return undefined;
  const carriage = carriageOf(connection);
  return { kind: 'drift', severity: severityOf(verdict.verdict, elsewhere.verdict, carriage === 'carried'), carriage };
}

/** Gravest is what the cluster carries and the declared policies would forbid; who declares it alone changes nothing. */
function severityOf(here: VerdictName, elsewhere: VerdictName, carried: boolean): Severity {
  if (elsewhere === 'denied') return carried ? 'medium' : 'low';
  return here === 'denied' ? 'low' : 'info';
}

/** What each says, without the ends of the connection. */
export function driftText({ verdict, elsewhere }: Assessed): string[] {
  return [
    `The declared policies ${wouldText(elsewhere!)}, those of the cluster ${wouldText(verdict)}.`,
    ...sidesText('declared', elsewhere!),
    ...sidesText('cluster', verdict),
  ];
}

function wouldText({ verdict }: Verdict): string {
  switch (verdict) {
    case 'denied':
      return 'deny it';
    case 'allowed':
      return 'allow it';
    case 'undeclared':
      return 'do not speak of it';
    case 'unknown':
      return 'leave it open';
  }
}

function sidesText(whose: string, verdict: Verdict): string[] {
  return verdictJson(verdict).sides.map(({ side, why }) => `${whose}, ${side}: ${why}.`);
}
