// The interface of the store: batches as received, connections as joined, and findings.
import type { AgentRun } from '../../model/agent-run.ts';
import type { Connection } from '../../model/connection.ts';
import type { Finding, Severity } from '../../model/finding.ts';
import type { FindingKind } from '../../model/finding-kind.ts';
import type { KnownObjects, ObjectVersion } from '../../model/object-version.ts';
import type { VerdictName } from '../../model/verdict.ts';
import type { FindingFamily } from '../findings/finding-id.ts';
import type { IngestedBatch } from '../ingest/ingest.ts';

/** Stored with (node, instance, sequence) in one transaction. */
export type StoredBatch = IngestedBatch;

/** Changes of connections and findings since the previous call. `merged` and `removed` are ids that no longer exist. */
export type ChangeSet = {
  connections: readonly Connection[];
  merged: readonly string[];
  findings: { put: readonly Finding[]; removed: readonly string[] };
};

export type StoredText = { key: string; body: string };

/** Several values of one field mean any of them; several fields mean all of them. Times in µs. */
export type ListQuery = {
  namespaces?: readonly string[];
  /** Names of pods or workloads at either end: NAME in any namespace, or NAMESPACE/NAME. */
  pods?: readonly string[];
  /** The same for the initiator, and for the responder. */
  fromPods?: readonly string[];
  toPods?: readonly string[];
  /** Of the responder. */
  ports?: readonly number[];
  kinds?: readonly FindingKind[];
  severities?: readonly Severity[];
  verdicts?: readonly VerdictName[];
  sinceUs?: number;
  untilUs?: number;
  /** At most this many, newest first. Of findings, every severity and every initiator gets an equal share. */
  last: number;
};

/** The clock of all stored times, and the wall clock minus this clock. */
export type StoredClock = { nowUs: number; wallOffsetUs: number };

export type StoreChanges = {
  /** A later version of a connection (same id) replaces the earlier one. */
  connections: readonly Connection[];
  /** Ids of connections that were merged into others. */
  merged: readonly string[];
  findings: readonly Finding[];
  removedFindings: readonly string[];
};

/** The objects of the cluster as they were, oldest first, and what the source knew last. */
export type StoredCluster = { versions: readonly ObjectVersion[]; known: KnownObjects };

export type Store = {
  /**
   * Resolves when the batch is on disk; false if (node, instance, sequence) was stored before and nothing was written.
   * `refused`: this batch can never be stored. Rejects if the store cannot write now. Neither affects other agents' batches.
   */
  putBatch(batch: StoredBatch): Promise<boolean | { refused: string }>;
  /** Writes all of it, or nothing: the count of a finding always fits the stored connections. */
  write(changes: Partial<StoreChanges>): Promise<void>;
  /** Adds versions of the cluster's objects, in order. */
  putObjectVersions(versions: readonly ObjectVersion[]): Promise<void>;
  /** Replaces what the source knew before. Put its versions first. */
  putKnownObjects(known: KnownObjects): Promise<void>;
  /** Undefined before `putKnownObjects`. */
  cluster(): Promise<StoredCluster | undefined>;
  /** Replaces the rows of the same keys, and removes others. The store does not read the text. */
  putNames(changes: { put: readonly StoredText[]; removed: readonly string[] }): Promise<void>;
  names(): Promise<StoredText[]>;
  /** Each has the current id of its finding. */
  connections(query: ListQuery): Promise<Connection[]>;
  /** Without `memberCounts`. */
  findings(query: ListQuery): Promise<Finding[]>;
  /** All findings of these families, with `memberCounts`. */
  findingsOf(families: readonly FindingFamily[]): Promise<Finding[]>;
  /** Batches whose records or names end at or after `sinceUs` (collector clock), oldest first, to join again after a restart. */
  batchesSince(sinceUs: number): AsyncIterable<StoredBatch>;
  /** A later version of a run (same node and instance) replaces the earlier one. */
  writeAgentRuns(runs: readonly AgentRun[]): Promise<void>;
  /** The latest runs of each node. */
  agentRuns(): Promise<AgentRun[]>;
  writeClock(clock: StoredClock): Promise<void>;
  /** As it was written last; undefined before the first time. */
  clock(): Promise<StoredClock | undefined>;
  /** Stored rows, and packets as the interfaces count them, for the accounting. */
  totals(): Promise<{
    batches: number;
    records: number;
    packets: number;
    connections: number;
    findings: number;
    bytesOnDisk: number;
    /** Rows that were skipped because they cannot be read, since the store was opened. */
    unreadable: number;
  }>;
  /**
   * Deletes data older than the age limit, then the oldest data until the size limit is met. Of the cluster's objects it
   * keeps all versions of the last hour, and the version before.
   */
  applyRetention(nowUs: number): Promise<void>;
  close(): Promise<void>;
};
