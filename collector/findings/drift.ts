// Where the policies that are declared elsewhere, as in Git, would say something else of a connection that was seen.
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Severity } from '../../model/finding.ts';
import type { Verdict, VerdictName } from '../../model/verdict.ts';
import { verdictJson } from '../../policy/explain.ts';
import { effectiveDelivery, type Violation } from './violation.ts';

export type Drift = Violation & { kind: 'drift' };

/** Nothing where either is unknown: a doubt is no difference. */
export function driftOf({ connection, verdict, declaredVerdict }: EvaluatedConnection): Drift | undefined {
  if (declaredVerdict === undefined || declaredVerdict.verdict === verdict.verdict) return undefined;
  if (declaredVerdict.verdict === 'unknown' || verdict.verdict === 'unknown') return undefined;
  const delivery = effectiveDelivery(connection);
  return {
    kind: 'drift',
    severity: severityOf(verdict.verdict, declaredVerdict.verdict, delivery === 'delivered'),
    delivery,
  };
}

/** Gravest is what the cluster carries and the declared policies would forbid; who declares it alone changes nothing. */
function severityOf(clusterVerdict: VerdictName, declaredVerdict: VerdictName, delivered: boolean): Severity {
  if (declaredVerdict === 'denied') return delivered ? 'medium' : 'low';
  return clusterVerdict === 'denied' ? 'low' : 'info';
}

/** What each says, without the ends of the connection. */
export function driftText({ verdict, declaredVerdict }: EvaluatedConnection): string[] {
  return [
    `The declared policies ${verdictPhrase(declaredVerdict!)}, those of the cluster ${verdictPhrase(verdict)}.`,
    ...sidesText('declared', declaredVerdict!),
    ...sidesText('cluster', verdict),
  ];
}

function verdictPhrase({ verdict }: Verdict): string {
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
