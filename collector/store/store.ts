// The one interface of every store: records as they came, connections as joined, findings as judged.
import type { Connection } from '../../model/connection.ts';
import type { DnsAnswer } from '../../model/dns-answer.ts';
import type { Finding, FindingKind, Severity } from '../../model/finding.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import type { VerdictName } from '../../model/verdict.ts';

/** One batch of one agent. (instance, sequence) is stored with it, in one transaction. Record times are the agent's. */
export type StoredBatch = {
  node: string;
  instance: string;
  sequence: number;
  /** Collector clock minus agent clock, µs. */
  clockOffsetUs: number;
  records: readonly ConnectionRecord[];
  /** Their times are the agent's too. */
  dnsAnswers: readonly DnsAnswer[];
};

/** What became of connections and findings since it was last asked; the ids are those that are none any more. */
export type ChangeSet = {
  connections: readonly Connection[];
  merged: readonly string[];
  findings: { put: readonly Finding[]; removed: readonly string[] };
};

/** What a user asks for; several values of one field mean either, several fields mean both. Times in µs. */
export type ListQuery = {
  namespaces?: readonly string[];
  /** Names of pods or workloads at either end: NAME in whatever namespace, or NAMESPACE/NAME. */
  pods?: readonly string[];
  /** The same at the initiator, and at the responder. */
  fromPods?: readonly string[];
  toPods?: readonly string[];
  /** Of the responder. */
  ports?: readonly number[];
  kinds?: readonly FindingKind[];
  severities?: readonly Severity[];
  verdicts?: readonly VerdictName[];
  sinceUs?: number;
  untilUs?: number;
  /** Newest first, at most this many. */
  last: number;
};

export type Store = {
  /** Resolves when the batch is on disk; false where (instance, sequence) was stored before and nothing was written. */
  putBatch(batch: StoredBatch): Promise<boolean>;
  /** A later version of a connection (same id) replaces the earlier one. */
  putConnections(connections: readonly Connection[]): Promise<void>;
  /** Connections that turned out to be part of others. */
  removeConnections(ids: readonly string[]): Promise<void>;
  putFindings(findings: readonly Finding[]): Promise<void>;
  removeFindings(ids: readonly string[]): Promise<void>;
  connections(query: ListQuery): Promise<Connection[]>;
  findings(query: ListQuery): Promise<Finding[]>;
  /** Batches whose records or names ended at or after `sinceUs` (collector clock), oldest first: what a restart joins again. */
  batchesSince(sinceUs: number): AsyncIterable<StoredBatch>;
  /** Rows held, and packets as the interfaces count them, for the books. */
  totals(): Promise<{
    batches: number;
    records: number;
    packets: number;
    connections: number;
    findings: number;
    bytesOnDisk: number;
  }>;
  /** Deletes what is older than the age limit, then the oldest until the size limit is kept. */
  applyRetention(nowUs: number): Promise<void>;
  close(): Promise<void>;
};
