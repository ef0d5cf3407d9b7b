// Findings from evaluated connections. A connection counts in at most one finding about the network, and in at most one
// drift. After a re-evaluation it may count in another finding. Where there are many findings, they are rolled up (family.ts).

import { isDeepStrictEqual } from 'node:util';
import type { Connection } from '../../model/connection.ts';
import type { EvaluatedConnection } from '../../model/evaluated.ts';
import type { Finding, Severity } from '../../model/finding.ts';
import type { FindingKind } from '../../model/finding-kind.ts';
import { hasPorts } from '../../model/protocol.ts';
import { driftOf, driftSeverity, isDrift } from './drift.ts';
import { equalShare } from './equal-share.ts';
import { evidenceOf, explain, sidesOf } from './explanation.ts';
import { Family } from './family.ts';
import {
  type FindingFamily,
  type FindingSubject,
  familyOf,
  findingKindOf,
  singleFindingId,
  subjectOf,
} from './finding-id.ts';
import { publishedFinding, type Sighting, storedTally } from './tally.ts';
import { effectiveDelivery, isViolationKind, severityOf, type Violation, violationOf } from './violation.ts';

/** Changes of findings since the previous call. */
export type FindingChanges = { put: Finding[]; removed: string[] };

/** Kinds of findings without connections. */
export const unconnectedKinds: readonly FindingKind[] = ['inert', 'coverage-gap'];

type CountedAs = FindingSubject & { severity: Severity };

const maxSharedWorkloads = 100_000;

export class Findings {
  /** In the order of last use. */
  readonly #families = new Map<string, Family>();
  readonly #changedFamilies = new Set<Family>();
  /** What each connection counts for. */
  readonly #counted = new Map<string, CountedAs>();
  readonly #workloads = new Map<string, string>();
  /** Findings without connections. */
  readonly #unconnected = new Map<string, Finding>();
  readonly #changedUnconnected = new Set<string>();
  readonly #maxFindings: number;
  /** Whether the store may have findings that are not in memory. */
  #moreStored = false;

  /** Above `maxFindings`, `evict` removes findings from memory. */
  constructor(maxFindings: number) {
    this.#maxFindings = maxFindings;
  }

  /**
   * After a restart: the connections that stored findings count, and the stored findings without connections. The other
   * findings are loaded when one of their connections is evaluated.
   */
  restore(connections: readonly Connection[], unconnected: readonly Finding[]): void {
    this.#moreStored = true;
    for (const finding of unconnected) this.#unconnected.set(finding.id, finding);
    for (const connection of connections) {
      const kind = findingKindOf(connection);
      if (kind !== undefined && isViolationKind(kind))
        this.#counted.set(connection.id, { ...subjectOf(kind, connection), severity: severityOf(kind, connection) });
      const { verdict, declaredVerdict } = connection;
      if (isDrift(verdict, declaredVerdict))
        this.#counted.set(driftKey(connection.id), {
          ...subjectOf('drift', connection),
          severity: driftSeverity(verdict, declaredVerdict!, effectiveDelivery(connection)),
        });
    }
  }

  /** Returns the connection with the kind of the finding that counts it. */
  update(evaluated: EvaluatedConnection): Connection {
    const { connection } = evaluated;
    this.#countViolation(driftKey(connection.id), driftOf(evaluated), evaluated);
    const violation = violationOf(evaluated);
    this.#countViolation(connection.id, violation, evaluated);
    return violation === undefined ? connection : { ...connection, findingKind: violation.kind };
  }

  /** The connection with the current id of the finding that counts it. */
  withFindingId(connection: Connection): Connection {
    if (connection.findingKind === undefined) return connection;
    const subject = subjectOf(connection.findingKind, connection);
    const findingId = this.#families.get(familyKey(subject))?.idOf(subject) ?? singleFindingId(subject);
    return { ...connection, findingId };
  }

  /** No finding counts the connection any more. */
  retract(connectionId: string): void {
    this.#uncount(connectionId, connectionId);
    this.#uncount(driftKey(connectionId), connectionId);
  }

  /** The connection is retired: it will not be evaluated again. */
  forgetConnection(connectionId: string): void {
    this.#counted.delete(connectionId);
    this.#counted.delete(driftKey(connectionId));
  }

  /**
   * Connections to evaluate again, because a finding describes a connection that it no longer counts. They count in these
   * findings.
   */
  connectionsToDescribe(): string[] {
    const families = [...this.#changedFamilies].filter((family) => family.undescribed);
    if (families.length === 0) return [];
    const found = new Map<string, string>();
    for (const [key, subject] of this.#counted) {
      const family = families.find((one) => familyKey(one) === familyKey(subject));
      if (family?.lacksDescription(subject)) found.set(family.idOf(subject)!, connectionOf(key));
    }
    return [...found.values()];
  }

  /** Replaces all findings of a kind that has no connections (`inert`). */
  replaceKind(kind: Finding['kind'], findings: readonly Finding[]): void {
    const current = new Map(findings.map((finding) => [finding.id, finding]));
    for (const [id, finding] of this.#unconnected) {
      if (finding.kind !== kind || current.has(id)) continue;
      this.#unconnected.delete(id);
      this.#changedUnconnected.add(id);
    }
    for (const [id, finding] of current) {
      const previous = this.#unconnected.get(id);
      this.#unconnected.set(id, { ...finding, firstSeenUs: previous?.firstSeenUs ?? finding.firstSeenUs });
      this.#changedUnconnected.add(id);
    }
  }

  unconnectedOf(kind: FindingKind): Finding[] {
    return [...this.#unconnected.values()].filter((finding) => finding.kind === kind);
  }

  /** Adds a finding without connections, or updates it. */
  putUnconnected(finding: Finding): void {
    const previous = this.#unconnected.get(finding.id);
    const firstSeenUs = Math.min(previous?.firstSeenUs ?? finding.firstSeenUs, finding.firstSeenUs);
    const current = { ...finding, firstSeenUs };
    if (isDeepStrictEqual(current, previous)) return;
    this.#unconnected.set(finding.id, current);
    this.#changedUnconnected.add(finding.id);
  }

  /** Families that lack their stored findings. Their changes are held back until `load`. */
  incompleteFamilies(): FindingFamily[] {
    return [...this.#changedFamilies].filter((family) => !family.complete);
  }

  /** `stored`: all stored findings of the families. */
  load(families: readonly FindingFamily[], stored: readonly Finding[]): void {
    const byFamily = Map.groupBy(stored, (finding) => familyKey(familyOf(finding)));
    for (const one of families) {
      const key = familyKey(one);
      const family = this.#families.get(key);
      if (family?.complete === false) family.load((byFamily.get(key) ?? []).map(storedTally));
    }
  }

  changes(): FindingChanges {
    const changes: FindingChanges = { put: [], removed: [] };
    for (const family of this.#changedFamilies) {
      if (!family.complete) continue;
      const { put, removed } = family.takeChanges();
      for (const tally of put) changes.put.push(publishedFinding(tally));
      changes.removed.push(...removed);
      this.#changedFamilies.delete(family);
    }
    for (const id of this.#changedUnconnected) {
      const finding = this.#unconnected.get(id);
      if (finding === undefined) changes.removed.push(id);
      else changes.put.push(finding);
    }
    this.#changedUnconnected.clear();
    return changes;
  }

  all(): Finding[] {
    const families = [...this.#families.values()];
    return [
      ...families.flatMap((family) => [...family.tallies()].map(publishedFinding)),
      ...this.#unconnected.values(),
    ];
  }

  /**
   * Removes families above the limit from memory, those first that were used least recently. Every initiator keeps an equal
   * share. Call it only when the store has all changes, because they are read back from there.
   */
  evict(): void {
    let size = 0;
    const sizes = new Map<string, number>();
    for (const [key, family] of this.#families) {
      if (family.size === 0 && !this.#changedFamilies.has(family)) this.#families.delete(key);
      size += family.size;
      sizes.set(family.initiator, (sizes.get(family.initiator) ?? 0) + family.size);
    }
    if (size <= this.#maxFindings) return;
    const share = equalShare([...sizes.values()], this.#maxFindings);
    for (const [key, family] of this.#families) {
      if (size <= this.#maxFindings) return;
      const ofInitiator = sizes.get(family.initiator)!;
      if (ofInitiator <= share || this.#changedFamilies.has(family)) continue;
      this.#families.delete(key);
      this.#moreStored = true;
      sizes.set(family.initiator, ofInitiator - family.size);
      size -= family.size;
    }
  }

  #countViolation(key: string, violation: Violation | undefined, evaluated: EvaluatedConnection): void {
    const { connection } = evaluated;
    const previous = this.#counted.get(key);
    const subject = violation && subjectOf(violation.kind, connection);
    const isCounted = previous !== undefined && subject !== undefined && isSameSubject(previous, subject);
    if (!isCounted) this.#uncount(key, connection.id);
    if (violation === undefined || subject === undefined) return;
    const { severity } = violation;
    if (!isCounted || previous.severity !== severity) {
      const [initiator, responder] = [this.#shared(subject.initiator), this.#shared(subject.responder)];
      const reason = subject.reason && this.#shared(subject.reason);
      this.#counted.set(key, { ...subject, initiator, responder, severity, ...(reason !== undefined && { reason }) });
    }
    const formerSeverity = isCounted ? previous.severity : undefined;
    this.#changedFamily(subject).add(subject, sightingOf(violation, evaluated), formerSeverity);
  }

  /** One string for all connections, because each keeps it as long as it lives. */
  #shared(workload: string): string {
    const known = this.#workloads.get(workload);
    if (known !== undefined) return known;
    if (this.#workloads.size >= maxSharedWorkloads) this.#workloads.clear();
    this.#workloads.set(workload, workload);
    return workload;
  }

  #uncount(key: string, connectionId: string): void {
    const subject = this.#counted.get(key);
    if (subject === undefined) return;
    this.#counted.delete(key);
    this.#changedFamily(subject).remove(subject, connectionId, subject.severity);
  }

  #changedFamily(one: FindingFamily): Family {
    const key = familyKey(one);
    const family = this.#families.get(key) ?? new Family(one, this.#moreStored ? 'unknown' : 'nothing');
    this.#families.delete(key);
    this.#families.set(key, family);
    this.#changedFamilies.add(family);
    return family;
  }
}

function familyKey({
  kind,
  initiator,
  reason,
}: {
  kind: string;
  initiator: string;
  reason?: string | undefined;
}): string {
  return reason === undefined ? `${kind} ${initiator}` : `${kind} ${initiator}\n${reason}`;
}

function driftKey(connectionId: string): string {
  return `drift ${connectionId}`;
}

function connectionOf(key: string): string {
  return key.startsWith('drift ') ? key.slice('drift '.length) : key;
}

function isSameSubject(one: FindingSubject, other: FindingSubject): boolean {
  return (
    one.kind === other.kind &&
    one.port === other.port &&
    one.reason === other.reason &&
    one.protocol === other.protocol &&
    one.initiator === other.initiator &&
    one.responder === other.responder
  );
}

function sightingOf(violation: Violation, evaluated: EvaluatedConnection): Sighting {
  const { connection } = evaluated;
  const { initiator, responder, protocol } = connection;
  return {
    finding: {
      id: '',
      kind: violation.kind,
      severity: violation.severity,
      initiator,
      responder,
      protocol,
      ...(hasPorts(protocol) && { port: connection.port }),
      connection: {
        id: connection.id,
        placement: connection.placement,
        verdict: connection.verdict,
        outcome: connection.outcome,
        delivered: connection.delivered,
      },
      ...(violation.kind === 'unevaluated' && { unknownReasonKey: connection.unknownReasonKey ?? '' }),
      connections: 1,
      firstSeenUs: connection.startUs,
      lastSeenUs: connection.endUs,
      explanation: '',
      sides: [],
      evidence: violation.kind === 'unevaluated' ? { reason: connection.unknownReason } : {},
    },
    explain: () => ({
      explanation: explain(violation, evaluated),
      sides: sidesOf(evaluated),
      evidence: evidenceOf(violation, evaluated),
    }),
  };
}
