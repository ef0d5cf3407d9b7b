// From records to findings: join, verdict, findings, without a store, a socket or a clock. The collector runs it on live
// batches, `waybill replay` on files.
import type { Connection } from '../model/connection.ts';
import type { EvaluatedConnection } from '../model/evaluated.ts';
import type { Finding } from '../model/finding.ts';
import type { JoinedConnection } from '../model/joined.ts';
import { coverageGapFinding, endedGapFinding, type GapLookup, gapLasts } from './findings/coverage-gap.ts';
import type { FindingFamily } from './findings/finding-id.ts';
import { Findings } from './findings/findings.ts';
import { inertFindings } from './findings/inert.ts';
import { violationOf } from './findings/violation.ts';
import type { ClusterHistory } from './identity/cluster-history.ts';
import type { Identities } from './identity/identity.ts';
import type { NearAddresses } from './identity/near-address.ts';
import type { PolicyHistory } from './identity/policy-history.ts';
import type { Coverage } from './join/delivered.ts';
import { Join, type JoinOptions, type RecordBatch } from './join/join.ts';
import type { StoredJoin } from './join/stored-side.ts';
import type { ChangeSet } from './store/store.ts';
import type { InterfaceLookup } from './verdict/connection-ends.ts';
import { ConnectionEvaluator, type VerdictOptions } from './verdict/connection-evaluator.ts';
import { DoubtfulConnections, recentUs } from './verdict/doubtful-connections.ts';
import { ownsNearAddress } from './verdict/near-owner.ts';
import { PendingOwners } from './verdict/pending-owners.ts';
import type { NameLookup } from './verdict/pod-names.ts';
import { UnsettledNames } from './verdict/unsettled-names.ts';
import { type NamespaceVerdicts, VerdictCounts } from './verdict/verdict-counts.ts';

export type PipelineOptions = {
  join: JoinOptions;
  verdict: Omit<VerdictOptions, 'maxLagUs' | 'maxWaitUs'>;
  maxFindings: number;
};

export type PipelineCounts = {
  live: number;
  pending: number;
  evicted: number;
  notOurs: number;
  doubtful: number;
  /** Doubtful connections whose verdict stays unknown, because there were too many. */
  dropped: number;
  verdicts: Record<string, number>;
  namespaces: Record<string, NamespaceVerdicts>;
};

/** `inert` findings depend on the whole cluster, so they are updated at most once in this interval. */
const inertIntervalUs = 1_000_000;
/** Findings about gaps in the coverage are updated at most once in this interval. */
const gapIntervalUs = 1_000_000;

const maxDescribeAttempts = 3;

export class Pipeline {
  readonly #cluster: ClusterHistory;
  readonly #join: Join;
  readonly #evaluator: ConnectionEvaluator;
  readonly #pendingOwners: PendingOwners;
  readonly #doubtful: DoubtfulConnections;
  readonly #unsettledNames: UnsettledNames;
  readonly #findings: Findings;
  readonly #verdictCounts = new VerdictCounts();
  #connections = new Map<string, Connection>();
  #merged = new Set<string>();
  /** Of before a restart, and older than the policies and owners that are known. */
  readonly #former = new Map<string, Connection>();
  #nowUs = 0;
  readonly #gaps: GapLookup;
  #gapRevision = -1;
  #gapsCheckedUs = 0;
  #inertRevision = -1;
  #inertCheckedUs = 0;

  constructor(
    options: PipelineOptions,
    cluster: ClusterHistory,
    identities: Identities,
    coverage: Coverage & InterfaceLookup & GapLookup,
    nearAddresses: NearAddresses,
    names: NameLookup,
    declaredPolicies?: PolicyHistory,
  ) {
    this.#cluster = cluster;
    this.#gaps = coverage;
    this.#evaluator = new ConnectionEvaluator(
      { ...options.verdict, maxLagUs: options.join.maxLagUs, maxWaitUs: options.join.maxWaitUs },
      cluster,
      identities,
      coverage,
      nearAddresses,
      names,
      declaredPolicies,
    );
    this.#pendingOwners = new PendingOwners(options.join.maxLive);
    this.#doubtful = new DoubtfulConnections(options.join.maxLive / 2, (id) => this.#forget(id));
    this.#unsettledNames = new UnsettledNames(options.join.maxLive);
    this.#findings = new Findings(options.maxFindings);
    this.#join = new Join(
      options.join,
      coverage,
      (protocol, address, port, timeUs) => {
        const service = cluster.serviceOf(address, protocol, port, timeUs);
        if (service !== undefined) return cluster.backendsOf(service, protocol, port, timeUs);
        const backend = cluster.hostPortBackend(address, protocol, port, timeUs);
        return backend && [backend];
      },
      (side, nowUs) => ownsNearAddress(side, coverage, nearAddresses, nowUs),
      {
        due: (joined, awaitsOtherSide) => this.#evaluate(joined, awaitsOtherSide, this.#join.storedOf(joined.id)),
        merged: (id) => this.#removeMerged(id),
        retired: (id) => {
          if (!this.#doubtful.retired(id)) this.#forget(id);
        },
      },
    );
  }

  receive(batch: RecordBatch, nowUs: number): void {
    this.#nowUs = nowUs;
    this.#join.receive(batch, nowUs);
  }

  /**
   * Evaluates connections that are due, about `maxConnections`; call it often. Returns true if more are due: the caller can
   * run other work before it calls again.
   */
  tick(nowUs: number, maxConnections = Number.POSITIVE_INFINITY): boolean {
    this.#nowUs = nowUs;
    const more = this.#join.tick(nowUs, maxConnections);
    for (const id of this.#pendingOwners.due(nowUs, maxConnections)) this.#join.evaluateAgain(id, nowUs);
    for (const id of this.#unsettledNames.due(nowUs, maxConnections)) this.#join.evaluateAgain(id, nowUs);
    const { viewRevision, staleKinds } = this.#cluster;
    for (const { joined, stored } of this.#doubtful.due(viewRevision, staleKinds.length > 0, nowUs, maxConnections))
      if (!this.#join.evaluateAgain(joined.id, nowUs)) this.#evaluate(joined, false, stored);
    this.#updateInertFindings(nowUs);
    this.#updateCoverageGaps(nowUs);
    return more || this.#doubtful.hasDue || this.#pendingOwners.hasDue(nowUs) || this.#unsettledNames.hasDue(nowUs);
  }

  /** Evaluates all pending connections, at the end of a file or of the program. */
  finish(nowUs: number): void {
    this.#nowUs = nowUs;
    this.#join.finish();
    const all = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as const;
    for (const id of this.#pendingOwners.due(...all)) this.#join.evaluateAgain(id, nowUs);
    for (const id of this.#unsettledNames.due(...all)) this.#join.evaluateAgain(id, nowUs);
    this.#inertCheckedUs = 0;
    this.#updateInertFindings(nowUs);
  }

  /**
   * Continues after a restart with what the store has: connections, the oldest first, and findings without connections.
   * Batches that it contains may then be received again. Connections that began before `knownSinceUs` keep their verdicts:
   * the policies and owners of their time are not known any more.
   */
  restore(connections: readonly Connection[], unconnected: readonly Finding[], nowUs: number, knownSinceUs = 0): void {
    for (const one of connections) if (one.startUs < knownSinceUs) this.#former.set(one.id, one);
    this.#findings.restore(connections, unconnected);
    const restored = connections.map(({ id, sides = [], group, open = false }) => ({ id, sides, group, open }));
    this.#join.restore(restored, nowUs);
  }

  /** Call when these batches are received again. */
  restored(): void {
    this.#join.restored();
  }

  /** Findings whose stored counts are not in memory. Their changes are held back until `loadFindings`. */
  incompleteFindings(): FindingFamily[] {
    return this.#findings.incompleteFamilies();
  }

  loadFindings(families: readonly FindingFamily[], stored: readonly Finding[]): void {
    this.#findings.load(families, stored);
  }

  /** Removes findings above the limit from memory. Call it only when all changes are stored. */
  evictFindings(): void {
    this.#findings.evict();
  }

  findings(): Finding[] {
    return this.#findings.all();
  }

  /** Changes since the previous call. A connection or finding that changed several times is listed once. */
  changes(): ChangeSet {
    this.#describeFindings();
    const changes = {
      connections: [...this.#connections.values()].map((one) => this.#findings.withFindingId(one)),
      merged: [...this.#merged],
      findings: this.#findings.changes(),
    };
    this.#connections = new Map();
    this.#merged = new Set();
    return changes;
  }

  /** `doubtful` connections are evaluated again when the view of the cluster is complete. */
  get counts(): PipelineCounts {
    const { live, pending, evicted, notOurs } = this.#join.counts;
    return {
      live,
      pending: pending + this.#pendingOwners.size,
      evicted,
      notOurs,
      ...this.#doubtful.counts,
      verdicts: this.#verdictCounts.counts(),
      namespaces: this.#verdictCounts.byNamespace(),
    };
  }

  #evaluate(joined: JoinedConnection, awaitsOtherSide: boolean, stored: StoredJoin | undefined): number {
    const { evaluated, doubtful, retryUntilUs, unsettledUntilUs } = this.#evaluator.evaluate(joined, this.#nowUs);
    const former = this.#former.get(joined.id);
    if (former !== undefined && !isSameEvaluation(former, evaluated)) {
      const { endUs, ended, packets, bytes } = evaluated.connection;
      this.#connections.set(joined.id, { ...former, ...stored, endUs, ended, packets, bytes });
      return 0;
    }
    const isUnsettled = unsettledUntilUs > this.#nowUs;
    if (isUnsettled) this.#unsettledNames.add(joined.id, unsettledUntilUs);
    const isOpen = awaitsOtherSide || doubtful || isUnsettled || retryUntilUs > this.#nowUs;
    this.#pendingOwners.retryLater(joined.id, retryUntilUs, this.#nowUs);
    const connection = this.#findings.update(evaluated);
    this.#verdictCounts.count(connection);
    this.#connections.set(connection.id, { ...connection, ...stored, ...(isOpen && { open: true as const }) });
    // It was part of another connection, and is one of its own again.
    this.#merged.delete(connection.id);
    const isRecentViolation = connection.findingKind !== undefined && this.#nowUs - connection.startUs <= recentUs;
    this.#doubtful.keep({ joined, stored }, doubtful ? 'doubtful' : isRecentViolation ? 'violation' : 'neither');
    return isUnsettled ? Number.POSITIVE_INFINITY : retryUntilUs;
  }

  /** By a connection that still counts. A further evaluation may withdraw that one too. */
  #describeFindings(): void {
    for (let attempt = 0; attempt < maxDescribeAttempts; attempt++) {
      const ids = this.#findings.connectionsToDescribe();
      if (ids.length === 0) return;
      for (const id of ids) {
        if (this.#join.evaluateAgain(id, this.#nowUs)) continue;
        const kept = this.#doubtful.get(id);
        if (kept !== undefined) this.#evaluate(kept.joined, false, kept.stored);
      }
    }
  }

  #removeMerged(id: string): void {
    this.#pendingOwners.remove(id);
    this.#unsettledNames.remove(id);
    this.#doubtful.remove(id);
    this.#former.delete(id);
    this.#findings.retract(id);
    this.#verdictCounts.remove(id);
    this.#connections.delete(id);
    this.#merged.add(id);
  }

  #forget(id: string): void {
    this.#pendingOwners.remove(id);
    this.#unsettledNames.remove(id);
    this.#former.delete(id);
    this.#findings.forgetConnection(id);
    this.#verdictCounts.forget(id);
  }

  #updateCoverageGaps(nowUs: number): void {
    if (nowUs - this.#gapsCheckedUs < gapIntervalUs) return;
    const { revision, nodes } = this.#gaps.coverageGaps();
    if (revision === this.#gapRevision) return;
    this.#gapRevision = revision;
    this.#gapsCheckedUs = nowUs;
    const podName = (uid: string, node: string) => {
      const pod = uid === '' ? undefined : this.#cluster.pod(uid, nowUs);
      return pod?.node === node ? `${pod.namespace}/${pod.name}` : undefined;
    };
    const findings = nodes.map((one) => coverageGapFinding(one, podName)).filter((one) => one !== undefined);
    for (const finding of findings) this.#findings.putUnconnected(finding);
    const current = new Set(findings.map(({ id }) => id));
    const reporting = new Set(nodes.map(({ node }) => node));
    for (const stored of this.#findings.unconnectedOf('coverage-gap')) {
      const isOver = !current.has(stored.id) && reporting.has(stored.initiator.node ?? '') && gapLasts(stored);
      if (isOver) this.#findings.putUnconnected(endedGapFinding(stored));
    }
  }

  #updateInertFindings(nowUs: number): void {
    if (!this.#cluster.synced || this.#cluster.revision === this.#inertRevision) return;
    if (nowUs - this.#inertCheckedUs < inertIntervalUs) return;
    this.#inertRevision = this.#cluster.revision;
    this.#inertCheckedUs = nowUs;
    const input = {
      policies: this.#cluster.policies.all,
      pods: this.#cluster.livePods(),
      workloads: this.#cluster.workloads,
      labelsOf: (namespace: string) => this.#cluster.namespaceLabels(namespace, nowUs),
    };
    this.#findings.replaceKind('inert', inertFindings(input, nowUs));
  }
}

/** Only a change on the network, such as an answer, may lead to another kind of finding. */
function isSameEvaluation(former: Connection, evaluated: EvaluatedConnection): boolean {
  const partsOf = ({ verdict, declaredVerdict, initiator, responder }: Connection) =>
    JSON.stringify([verdict, declaredVerdict, initiator, responder]);
  const networkOf = ({ outcome, delivered }: Connection) => JSON.stringify([outcome, delivered]);
  const { connection } = evaluated;
  if (partsOf(former) !== partsOf(connection)) return false;
  return former.findingKind === violationOf(evaluated)?.kind || networkOf(former) !== networkOf(connection);
}
