// Findings from evaluated connections. A connection counts in at most one finding about the network, and in at most one
// drift. After a re-evaluation it may count in another finding.

import type { Connection } from '../../model/connection.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import { type Finding, severities } from '../../model/finding.ts';
import { hasPorts } from '../../model/protocol.ts';
import { driftOf } from './drift.ts';
import { evidenceOf, explain, sidesOf } from './explanation.ts';
import { findingId } from './finding-id.ts';
import { type Violation, violationOf } from './violation.ts';

/** Changes of findings since the previous call. */
export type FindingChanges = { put: Finding[]; removed: string[] };

export class Findings {
  readonly #findings = new Map<string, Finding>();
  /** Findings without a current explanation. Only the latest connection of a finding is explained, when it is needed. */
  readonly #unexplained = new Map<string, { violation: Violation; evaluated: EvaluatedConnection }>();
  readonly #findingIdByKey = new Map<string, string>();
  readonly #maxFindings: number;
  #changed = new Set<string>();

  /** Keeps the `maxFindings` findings that were seen last. Older ones are removed from memory, but not from the store. */
  constructor(maxFindings: number) {
    this.#maxFindings = maxFindings;
  }

  /** Restores findings, and the connections that they count, after a restart. */
  restore(findings: readonly Finding[], connections: readonly Connection[]): void {
    for (const finding of findings) this.#findings.set(finding.id, finding);
    for (const connection of connections) {
      if (connection.findingId !== '') this.#findingIdByKey.set(connection.id, connection.findingId);
      const { verdict, declaredVerdict } = connection;
      if (declaredVerdict !== undefined && declaredVerdict !== verdict) this.#restoreDrift(connection);
    }
  }

  /** Returns the connection with the id of the finding that counts it. */
  update(evaluated: EvaluatedConnection): Connection {
    const { connection } = evaluated;
    this.#countViolation(driftKey(connection.id), driftOf(evaluated), evaluated);
    const findingId = this.#countViolation(connection.id, violationOf(evaluated), evaluated);
    return findingId === undefined ? connection : { ...connection, findingId };
  }

  /** No finding counts the connection any more. */
  retract(connectionId: string): void {
    this.#uncount(connectionId);
    this.#uncount(driftKey(connectionId));
  }

  #countViolation(key: string, violation: Violation | undefined, evaluated: EvaluatedConnection): string | undefined {
    if (violation === undefined) {
      this.#uncount(key);
      return undefined;
    }
    const finding = findingOf(violation, evaluated);
    const previousFindingId = this.#findingIdByKey.get(key);
    if (previousFindingId !== undefined && previousFindingId !== finding.id) this.#uncount(key);
    this.#findingIdByKey.set(key, finding.id);
    this.#put(finding, previousFindingId === finding.id ? 'again' : 'first');
    this.#unexplained.set(finding.id, { violation, evaluated });
    return finding.id;
  }

  #restoreDrift({ id, initiator, responder, protocol, port }: Connection): void {
    const drift = findingId('drift', initiator, responder, protocol, hasPorts(protocol) ? port : undefined);
    if (this.#findings.has(drift)) this.#findingIdByKey.set(driftKey(id), drift);
  }

  #uncount(key: string): void {
    const id = this.#findingIdByKey.get(key);
    if (id === undefined) return;
    this.#findingIdByKey.delete(key);
    const finding = this.#findings.get(id);
    if (finding === undefined) return;
    if (finding.connections > 1) this.#findings.set(id, { ...finding, connections: finding.connections - 1 });
    else this.#findings.delete(id);
    this.#changed.add(id);
  }

  /** The connection is retired: it will not be evaluated again. */
  forgetConnection(connectionId: string): void {
    this.#findingIdByKey.delete(connectionId);
    this.#findingIdByKey.delete(driftKey(connectionId));
  }

  /** Replaces all findings of a kind that has no connections (`inert`). */
  replaceKind(kind: Finding['kind'], findings: readonly Finding[]): void {
    const current = new Map(findings.map((finding) => [finding.id, finding]));
    for (const [id, finding] of this.#findings) {
      if (finding.kind !== kind || current.has(id)) continue;
      this.#findings.delete(id);
      this.#changed.add(id);
    }
    for (const [id, finding] of current) {
      const previous = this.#findings.get(id);
      this.#findings.set(id, { ...finding, firstSeenUs: previous?.firstSeenUs ?? finding.firstSeenUs });
      this.#changed.add(id);
    }
  }

  changes(): FindingChanges {
    this.#explainPending();
    const put: Finding[] = [];
    const removed: string[] = [];
    for (const id of this.#changed) {
      const finding = this.#findings.get(id);
      if (finding === undefined) removed.push(id);
      else put.push(finding);
    }
    this.#changed = new Set();
    return { put, removed };
  }

  all(): Finding[] {
    this.#explainPending();
    return [...this.#findings.values()];
  }

  #explainPending(): void {
    for (const [id, { violation, evaluated }] of this.#unexplained) {
      const finding = this.#findings.get(id);
      if (finding !== undefined) this.#findings.set(id, { ...finding, ...explanationOf(violation, evaluated) });
    }
    this.#unexplained.clear();
  }

  #put(finding: Finding, counted: 'first' | 'again'): void {
    const previous = this.#findings.get(finding.id);
    // The map is in the order of last sight: the first entry is evicted first.
    this.#findings.delete(finding.id);
    this.#findings.set(finding.id, previous === undefined ? finding : mergeFindings(previous, finding, counted));
    this.#changed.add(finding.id);
    if (this.#findings.size > this.#maxFindings) this.#forgetOldest();
  }

  /** Removed from memory only: the store keeps the finding, so this is not a change. */
  #forgetOldest(): void {
    const oldest = this.#findings.keys().next().value!;
    if (this.#changed.has(oldest)) return;
    this.#findings.delete(oldest);
  }
}

function driftKey(connectionId: string): string {
  return `drift ${connectionId}`;
}

/** The finding describes its latest connection, with the highest severity of all. */
function mergeFindings(previous: Finding, latest: Finding, counted: 'first' | 'again'): Finding {
  const graver = severities.indexOf(previous.severity) > severities.indexOf(latest.severity);
  return {
    ...latest,
    severity: graver ? previous.severity : latest.severity,
    connections: previous.connections + (counted === 'first' ? 1 : 0),
    firstSeenUs: Math.min(previous.firstSeenUs, latest.firstSeenUs),
    lastSeenUs: Math.max(previous.lastSeenUs, latest.lastSeenUs),
  };
}

function findingOf(violation: Violation, evaluated: EvaluatedConnection): Finding {
  const { connection } = evaluated;
  const { initiator, responder, protocol } = connection;
  const port = hasPorts(protocol) ? { port: connection.port } : {};
  return {
    id: findingId(violation.kind, initiator, responder, protocol, port.port),
    kind: violation.kind,
    severity: violation.severity,
    initiator,
    responder,
    protocol,
    ...port,
    connection: {
      id: connection.id,
      placement: connection.placement,
      verdict: connection.verdict,
      outcome: connection.outcome,
      delivered: connection.delivered,
    },
    connections: 1,
    firstSeenUs: connection.startUs,
    lastSeenUs: connection.endUs,
    ...noExplanation,
  };
}

type Explanation = Pick<Finding, 'explanation' | 'sides' | 'evidence'>;

const noExplanation: Explanation = { explanation: '', sides: [], evidence: {} };

function explanationOf(violation: Violation, evaluated: EvaluatedConnection): Explanation {
  return {
    explanation: explain(violation, evaluated),
    sides: sidesOf(evaluated),
    evidence: evidenceOf(violation, evaluated),
  };
}
