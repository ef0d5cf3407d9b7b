// The types of the API, and its data source. main.ts provides the data source, so the API does not depend on a store.
import type { NodeGap } from '../../model/agent-run.ts';
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import type { ListQuery } from '../store/store.ts';

export type NodeStatus = {
  node: string;
  /** `reporting`: sent a message within the last seconds. `away`: did so before. `missing`: in the cluster, but never did. */
  agent: 'reporting' | 'away' | 'missing';
  lastHeard?: string;
  /** How far its records are behind the collector's clock. */
  lagMs?: number;
  /** The collector's system clock minus the node's, at the shortest network delay. */
  clockOffsetMs?: number;
  version?: string;
  source?: string;
  sourceReason?: string;
  interfaces?: number;
  /** Pod interfaces that it cannot watch. */
  notWatched?: readonly string[];
  /** Pods without a watched interface, and addresses of pods at interfaces that no agent can watch. */
  podsNotWatched?: readonly string[];
  /** Times in which nobody watched the node, or what its agent saw is lost; the oldest first. Missing if there were none. */
  gaps?: readonly NodeGapJson[];
  recordsReceived?: number;
  duplicatesDropped?: number;
  /** Batches with an invalid value. */
  refusedBatches?: number;
  /** Distinct claims about pods and addresses that are not those of the node; missing without one. */
  refusedClaims?: { pods: number; podAddresses: number; nodeAddresses: number };
  /** How many agents of the node report now; missing if it is one. */
  agents?: number;
  /** `bytes` is missing if the agent does not report them. */
  books?: PacketCountsJson & { bytes?: PacketCountsJson };
};

export type NodeGapJson = { from: string; until: string; why: NodeGap['why'] };

export type PacketCountsJson = {
  seen: number;
  stored: number;
  setAside: Record<string, number>;
  lost: Record<string, number>;
};

export type ProblemTimes = { first: string; last: string; count: number };

export type Status = {
  version: string;
  started: string;
  cluster: {
    synced: boolean;
    /** Kinds whose changes may be missing since then. Verdicts that depend on them are unknown. */
    stale: readonly { resource: string; since: string }[];
    /** The latest problems that are not fixed, one line each. */
    problems: readonly string[];
    /** The same number and order as `problems`. */
    problemTimes: readonly ProblemTimes[];
  };
  nodes: { reporting: number; of: number; list: readonly NodeStatus[] };
  ingest: { streamsRefused: number };
  /**
   * `pending` connections wait for the other side, for an answer or for an owner; `doubtful` ones for the current state of
   * the cluster. `dropped`: too many were doubtful, so their verdicts stay unknown. `notOurs`: flows at an interface to an
   * address that its pod does not have.
   */
  join: { live: number; pending: number; evicted: number; doubtful: number; dropped: number; notOurs: number };
  verdicts: Record<string, number>;
  /** The connections with an end in each namespace, and how many of them have an unknown verdict. */
  namespaces: Record<string, { connections: number; unknown: number }>;
  store: {
    batches: number;
    records: number;
    packets: number;
    connections: number;
    findings: number;
    bytesOnDisk: number;
    /** Pending writes, and connections that were dropped because too many were pending. */
    waiting: number;
    lost: number;
    /** Stored rows that cannot be read. They are skipped. */
    unreadable: number;
  };
  series: { points: number; dropped: number } | null;
};

/** Readers that follow now, and readers dropped since the start because they were too slow. */
export type FollowerCounts = { now: number; dropped: number };

/** The answer of GET /v1/status. */
export type StatusJson = Status & { followers: FollowerCounts };

/** `gone`: the finding counts no connection any more, or the connection was merged into another one. */
export type Change =
  | { type: 'finding'; finding: Finding }
  | { type: 'connection'; connection: Connection }
  | { type: 'gone'; of: 'finding' | 'connection'; id: string };

export type ApiDataSource = {
  /** Both lists are newest first, and contain all changes that listeners got before. */
  findings(query: ListQuery): Promise<Finding[]>;
  connections(query: ListQuery): Promise<Connection[]>;
  status(): Promise<Status>;
  /** Calls `listener` for every change, until the returned function is called. */
  subscribe(listener: (change: Change) => void): () => void;
};

/** Response header: `true` if there are more items than `last`. */
export const moreHeader = 'waybill-more';

/** Request header with any value: a follower gets blank lines while nothing changes. The response then has it too. */
export const heartbeatHeader = 'waybill-heartbeat';
