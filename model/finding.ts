// A finding: a verdict and an outcome that do not fit together, or a policy that cannot do what it says.
import type { Connection } from './connection.ts';
import type { Endpoint } from './endpoint.ts';
import type { FindingKind } from './finding-kind.ts';
import type { SideJson } from './verdict.ts';

export type Severity = 'critical' | 'high' | 'medium' | 'low' | 'info';
export const severities: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];

/** How many, and the first of them in order. */
export type Members<Member> = { count: number; first: readonly Member[] };

/** How many connections of a finding would have that severity alone. */
export type SeverityCounts = Partial<Record<Severity, number>>;

/**
 * One for each kind, initiator workload, responder workload or zone, protocol and port. `connection` is the latest; missing
 * if that no longer counts, and the others are not at hand. A
 * rolled-up one has `ports` in place of `port`, `protocols` in place of `protocol`, or `responders` in place of these and
 * `responder`.
 */
export type Finding = {
  id: string;
  kind: FindingKind;
  severity: Severity;
  initiator: Endpoint;
  /** Missing for `inert`, which has one workload only. */
  responder?: Endpoint;
  protocol?: number;
  port?: number;
  ports?: Members<number>;
  protocols?: Members<number>;
  /** Workloads, without pod and address. */
  responders?: Members<Endpoint>;
  /** Connections by member of a rolled-up finding, for the store. */
  memberCounts?: string;
  /** For the store. Missing: all connections have the severity of the finding. */
  severityCounts?: SeverityCounts;
  /** Of the connections of an `unevaluated` finding, for the store. */
  unknownReasonKey?: string;
  connection?: Pick<Connection, 'id' | 'placement' | 'verdict' | 'outcome' | 'delivered'>;
  connections: number;
  firstSeenUs: number;
  lastSeenUs: number;
  /** One line for the claim, one for each piece of evidence, and one for what to do. */
  explanation: string;
  sides: readonly SideJson[];
  evidence: Record<string, unknown>;
};
