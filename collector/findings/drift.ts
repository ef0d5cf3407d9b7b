// The cluster's policies and the declared ones (Git) give different verdicts for a connection that was seen.
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Severity } from '../../model/finding.ts';
import type { Verdict, VerdictName } from '../../model/verdict.ts';
import { verdictJson } from '../../policy/explain.ts';
import { type EffectiveDelivery, effectiveDelivery, type Violation } from './violation.ts';

export type Drift = Violation & { kind: 'drift' };

/** Only certain verdicts can differ. */
export function isDrift(verdict: VerdictName, declaredVerdict: VerdictName | undefined): boolean {
  if (declaredVerdict === undefined || declaredVerdict === verdict) return false;
  return declaredVerdict !== 'unknown' && verdict !== 'unknown';
}

export function driftOf({ connection, verdict, declaredVerdict }: EvaluatedConnection): Drift | undefined {
  if (declaredVerdict === undefined || !isDrift(verdict.verdict, declaredVerdict.verdict)) return undefined;
  const delivery = effectiveDelivery(connection);
  return {
    kind: 'drift',
    severity: driftSeverity(verdict.verdict, declaredVerdict.verdict, delivery),
    delivery,
  };
}

/** The worst case: the network delivers a connection that the declared policies deny. */
export function driftSeverity(
  clusterVerdict: VerdictName,
  declaredVerdict: VerdictName,
  delivery: EffectiveDelivery,
): Severity {
  if (declaredVerdict === 'denied') return delivery === 'delivered' ? 'medium' : 'low';
  return clusterVerdict === 'denied' ? 'low' : 'info';
}

/** The claim, without the ends of the connection. */
export function driftClaim({ verdict, declaredVerdict }: EvaluatedConnection): string {
  return `is ${verdictPhrase(declaredVerdict!)} by the declared policies and ${verdictPhrase(verdict)} by those of the cluster`;
}

export function driftEvidence({ verdict, declaredVerdict }: EvaluatedConnection): string[] {
  return [...sideLines('declared', declaredVerdict!), ...sideLines('cluster', verdict)];
}

function verdictPhrase({ verdict }: Verdict): string {
  switch (verdict) {
    case 'denied':
      return 'denied';
    case 'allowed':
      return 'allowed';
    case 'undeclared':
      return 'not covered';
    case 'unknown':
      return 'not decided';
  }
}

function sideLines(policies: 'declared' | 'cluster', verdict: Verdict): string[] {
  return verdictJson(verdict).sides.map(({ side, why }) => `${policies} ${side}: ${why}`);
}
