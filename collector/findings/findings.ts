// Findings from assessed connections: each connection counts for at most one of what the network did, and
// for one where policies differ; it moves when it is judged anew.
import type { Assessed } from '../../model/assessed.ts';
import type { Connection } from '../../model/connection.ts';
import { type Finding, severities } from '../../model/finding.ts';
import { hasPorts } from '../../model/protocol.ts';
import { driftOf } from './drift.ts';
import { evidenceOf, explain, sidesOf } from './explanation.ts';
import { findingId } from './finding-id.ts';
import { type Held, held } from './rule.ts';

/** What became of findings since it was last asked. */
export type FindingChanges = { put: Finding[]; removed: string[] };

export class Findings {
  readonly #findings = new Map<string, Finding>();
  /** Judged since the finding was put into words; the latest alone speaks for it, so the others need none. */
  readonly #unworded = new Map<string, { against: Held; assessed: Assessed }>();
  readonly #countedBy = new Map<string, string>();
  readonly #limit: number;
  #changed = new Set<string>();

  /** Keeps the `limit` findings that were last seen; those before are forgotten here, and stay stored. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** What was stored before a restart: findings, and the connections that they count. */
  restore(findings: readonly Finding[], connections: readonly Connection[]): void {
    for (const finding of findings) this.#findings.set(finding.id, finding);
    for (const connection of connections) {
      if (connection.findingId !== '') this.#countedBy.set(connection.id, connection.findingId);
      const { verdict, elsewhere } = connection;
      if (elsewhere !== undefined && elsewhere !== verdict) this.#restoreDrift(connection);
    }
  }

  /** Returns the connection as it is to be kept: with the finding that counts it. */
  judge(assessed: Assessed): Connection {
    const { connection } = assessed;
    this.#hold(driftKey(connection.id), driftOf(assessed), assessed);
    const findingId = this.#hold(connection.id, held(assessed), assessed);
    return findingId === undefined ? connection : { ...connection, findingId };
  }

  /** Nothing is held against the connection any more. */
  retract(connectionId: string): void {
    this.#discount(connectionId);
    this.#discount(driftKey(connectionId));
  }

  #hold(key: string, against: Held | undefined, assessed: Assessed): string | undefined {
    if (against === undefined) {
      this.#discount(key);
      return undefined;
    }
    const finding = findingOf(against, assessed);
    const countedBy = this.#countedBy.get(key);
    if (countedBy !== undefined && countedBy !== finding.id) this.#discount(key);
    this.#countedBy.set(key, finding.id);
    this.#put(finding, countedBy === finding.id ? 'again' : 'first');
    this.#unworded.set(finding.id, { against, assessed });
    return finding.id;
  }

  #restoreDrift({ id, initiator, responder, protocol, port }: Connection): void {
    const drift = findingId('drift', initiator, responder, protocol, hasPorts(protocol) ? port : undefined);
    if (this.#findings.has(drift)) this.#countedBy.set(driftKey(id), drift);
  }

  #discount(key: string): void {
    const id = this.#countedBy.get(key);
    if (id === undefined) return;
    this.#countedBy.delete(key);
    const finding = this.#findings.get(id);
    if (finding === undefined) return;
    if (finding.connections > 1) this.#findings.set(id, { ...finding, connections: finding.connections - 1 });
    else this.#findings.delete(id);
    this.#changed.add(id);
  }

  /** The connection is over: it will not be judged again. */
  over(connectionId: string): void {
    this.#countedBy.delete(connectionId);
    this.#countedBy.delete(driftKey(connectionId));
  }

  /** Findings of no connection (`inert`): these are all there are now. */
  replaceStanding(kind: Finding['kind'], findings: readonly Finding[]): void {
    const now = new Map(findings.map((finding) => [finding.id, finding]));
    for (const [id, finding] of this.#findings) {
      if (finding.kind !== kind || now.has(id)) continue;
      this.#findings.delete(id);
      this.#changed.add(id);
    }
    for (const [id, finding] of now) {
      const before = this.#findings.get(id);
      this.#findings.set(id, { ...finding, firstSeenUs: before?.firstSeenUs ?? finding.firstSeenUs });
      this.#changed.add(id);
    }
  }

  changes(): FindingChanges {
    this.#word();
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
    this.#word();
    return [...this.#findings.values()];
  }

  #word(): void {
    for (const [id, { against, assessed }] of this.#unworded) {
      const finding = this.#findings.get(id);
      if (finding !== undefined) this.#findings.set(id, { ...finding, ...wordsOf(against, assessed) });
    }
    this.#unworded.clear();
  }

  #put(finding: Finding, counted: 'first' | 'again'): void {
    const before = this.#findings.get(finding.id);
    // Order of last sight, so that the one that is forgotten first stands first.
    this.#findings.delete(finding.id);
    this.#findings.set(finding.id, before === undefined ? finding : merged(before, finding, counted));
    this.#changed.add(finding.id);
    if (this.#findings.size > this.#limit) this.#forgetOldest();
  }

  /** Forgotten here and kept in the store: it is no change. */
  #forgetOldest(): void {
    const oldest = this.#findings.keys().next().value!;
    if (this.#changed.has(oldest)) return;
    this.#findings.delete(oldest);
  }
}

function driftKey(connectionId: string): string {
  return `drift ${connectionId}`;
}

/** The latest connection speaks for the finding; the gravest severity stays. */
function merged(before: Finding, latest: Finding, counted: 'first' | 'again'): Finding {
  const graver = severities.indexOf(before.severity) > severities.indexOf(latest.severity);
  return {
    ...latest,
    severity: graver ? before.severity : latest.severity,
    connections: before.connections + (counted === 'first' ? 1 : 0),
    firstSeenUs: Math.min(before.firstSeenUs, latest.firstSeenUs),
    lastSeenUs: Math.max(before.lastSeenUs, latest.lastSeenUs),
  };
}

function findingOf(against: Held, assessed: Assessed): Finding {
  const { connection } = assessed;
  const { initiator, responder, protocol } = connection;
  const port = hasPorts(protocol) ? { port: connection.port } : {};
  return {
    id: findingId(against.kind, initiator, responder, protocol, port.port),
    kind: against.kind,
    severity: against.severity,
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
    ...noWords,
  };
}

type Words = Pick<Finding, 'explanation' | 'sides' | 'evidence'>;

const noWords: Words = { explanation: '', sides: [], evidence: {} };

function wordsOf(against: Held, assessed: Assessed): Words {
  return {
    explanation: explain(against, assessed),
    sides: sidesOf(assessed),
    evidence: evidenceOf(against, assessed),
  };
}
