// What the API is asked for, and who answers: the collector's main gives these, so that the API knows no store.
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import type { ListQuery } from '../store/store.ts';

export type NodeStatus = {
  node: string;
  /** `reporting`: heard of within the last seconds. `away`: heard of before. `missing`: in the cluster, never heard of. */
  agent: 'reporting' | 'away' | 'missing';
  lastHeard?: string;
  /** How far behind the collector's clock its records reach. */
  lagMs?: number;
  /** The collector's clock minus the agent's, with the shortest way between them. */
  clockOffsetMs?: number;
  version?: string;
  source?: string;
  sourceReason?: string;
  interfaces?: number;
  /** Links of pods that its source cannot watch. */
  notWatched?: readonly string[];
  recordsReceived?: number;
  duplicatesDropped?: number;
  /** `bytes` is left out where the agent does not tell them. */
  books?: PacketCountsJson & { bytes?: PacketCountsJson };
};

export type PacketCountsJson = {
  seen: number;
  stored: number;
  setAside: Record<string, number>;
  lost: Record<string, number>;
};

export type Status = {
  version: string;
  started: string;
  cluster: { synced: boolean; problems: readonly string[] };
  nodes: { reporting: number; of: number; list: readonly NodeStatus[] };
  ingest: { streamsRefused: number };
  /** `pending` connections wait for the other side, for an answer or for an owner. */
  join: { live: number; pending: number; evicted: number };
  verdicts: Record<string, number>;
  store: {
    batches: number;
    records: number;
    packets: number;
    connections: number;
    findings: number;
    bytesOnDisk: number;
    /** What was judged and the store did not take yet, and connections that waited until there was no room. */
    waiting: number;
    lost: number;
  };
  series: { points: number; dropped: number } | null;
};

/** Readers that follow now, and those let go since the start because they could not keep up. */
export type FollowerCounts = { now: number; dropped: number };

/** What GET /v1/status answers. */
export type StatusJson = Status & { followers: FollowerCounts };

/** `gone`: nothing is held against anyone any more, or the connection was part of another one. */
export type Change =
  | { type: 'finding'; finding: Finding }
  | { type: 'connection'; connection: Connection }
  | { type: 'gone'; of: 'finding' | 'connection'; id: string };

export type ApiDataSource = {
  /** Newest first, both lists; what was told to listeners before is in them. */
  findings(query: ListQuery): Promise<Finding[]>;
  connections(query: ListQuery): Promise<Connection[]>;
  status(): Promise<Status>;
  /** Calls back for every change until the function that is returned is called. */
  subscribe(listener: (change: Change) => void): () => void;
};

/** Header of an answer, `true` where more would have come than `last` let through. */
export const moreHeader = 'waybill-more';

/** Who follows and sends it, with any value, hears blank lines where there is nothing to tell; the answer has it then too. */
export const heartbeatHeader = 'waybill-heartbeat';
