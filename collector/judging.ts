// From records to findings: join, verdict and findings in their order, without a store, a socket or a clock. The
// collector runs it on live batches, `waybill replay` on files.
import type { Connection } from '../model/connection.ts';
import type { Finding } from '../model/finding.ts';
import type { Joined } from '../model/joined.ts';
import { type FindingChanges, Findings } from './findings/findings.ts';
import { inertFindings } from './findings/inert.ts';
import type { ClusterHistory } from './identity/cluster-history.ts';
import type { Identities } from './identity/identity.ts';
import type { PolicyHistory } from './identity/policy-history.ts';
import type { RecordBatch } from './join/belonging.ts';
import type { Coverage } from './join/delivered.ts';
import { Join, type JoinOptions } from './join/join.ts';
import type { Interfaces } from './verdict/ends.ts';
import { Tally } from './verdict/tally.ts';
import { Undecided } from './verdict/undecided.ts';
import { type VerdictOptions, Verdicts } from './verdict/verdict.ts';

export type JudgingOptions = { join: JoinOptions; verdict: VerdictOptions; maxFindings: number };

export type Changes = { connections: Connection[]; dropped: string[]; findings: FindingChanges };

/** Changes of the cluster follow one another: what depends on all of it is worked out again only so often. */
const inertEveryUs = 1_000_000;

export class Judging {
  readonly #cluster: ClusterHistory;
  readonly #join: Join;
  readonly #verdicts: Verdicts;
  readonly #undecided: Undecided;
  readonly #findings: Findings;
  readonly #tally = new Tally();
  #connections = new Map<string, Connection>();
  #dropped: string[] = [];
  #nowUs = 0;
  #inertSeen = -1;
  #inertUs = 0;

  constructor(
    options: JudgingOptions,
    cluster: ClusterHistory,
    identities: Identities,
    coverage: Coverage & Interfaces,
    elsewhere?: PolicyHistory,
  ) {
    this.#cluster = cluster;
    this.#verdicts = new Verdicts(options.verdict, cluster, identities, coverage, elsewhere);
    this.#undecided = new Undecided(options.join.maxLagUs, options.join.maxLive);
    this.#findings = new Findings(options.maxFindings);
    this.#join = new Join(
      options.join,
      coverage,
      (protocol, address, port) => {
        const service = cluster.serviceOf(address);
        return service && cluster.backendsOf(service, protocol, port);
      },
      { due: (joined) => this.#judge(joined), dropped: (id) => this.#drop(id), over: (id) => this.#over(id) },
    );
  }

  receive(batch: RecordBatch, nowUs: number): void {
    this.#nowUs = nowUs;
    this.#join.receive(batch, nowUs);
  }

  /**
   * Judges what is due, about `most` connections at once; call it often. Returns whether more is due, which is only where
   * `most` is given: others can have their turn before it is called again.
   */
  tick(nowUs: number, most = Number.POSITIVE_INFINITY): boolean {
    this.#nowUs = nowUs;
    const more = this.#join.tick(nowUs, most);
    for (const joined of this.#undecided.due(nowUs, most)) this.#judge(joined);
    this.#judgePolicies(nowUs);
    return more;
  }

  /** Judges all that is left, whatever is still on its way: for the end of a file or of the program. */
  finish(nowUs: number): void {
    this.#nowUs = nowUs;
    this.#join.finish();
    for (const joined of this.#undecided.due(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)) this.#judge(joined);
    this.#inertUs = 0;
    this.#judgePolicies(nowUs);
  }

  restore(findings: readonly Finding[], connections: readonly Connection[]): void {
    this.#findings.restore(findings, connections);
  }

  findings(): Finding[] {
    return this.#findings.all();
  }

  /** What changed since it was last asked, each thing once. */
  changes(): Changes {
    const changes = {
      connections: [...this.#connections.values()],
      dropped: this.#dropped,
      findings: this.#findings.changes(),
    };
    this.#connections = new Map();
    this.#dropped = [];
    return changes;
  }

  get counts(): { live: number; pending: number; evicted: number; verdicts: Record<string, number> } {
    const { live, pending, evicted } = this.#join.counts;
    return { live, pending: pending + this.#undecided.size, evicted, verdicts: this.#tally.counts() };
  }

  #judge(joined: Joined): void {
    const { assessed, undecided } = this.#verdicts.assess(joined, this.#nowUs);
    if (!(undecided && this.#undecided.await(joined, this.#nowUs))) this.#undecided.decided(joined.id);
    const connection = this.#findings.judge(assessed);
    this.#tally.count(connection);
    this.#connections.set(connection.id, connection);
  }

  #drop(id: string): void {
    this.#undecided.decided(id);
    this.#findings.retract(id);
    this.#tally.dropped(id);
    this.#connections.delete(id);
    this.#dropped.push(id);
  }

  #over(id: string): void {
    this.#findings.over(id);
    this.#tally.over(id);
  }

  #judgePolicies(nowUs: number): void {
    if (!this.#cluster.synced || this.#cluster.revision === this.#inertSeen) return;
    if (nowUs - this.#inertUs < inertEveryUs) return;
    this.#inertSeen = this.#cluster.revision;
    this.#inertUs = nowUs;
    const coverable = {
      policies: this.#cluster.policies.all,
      pods: this.#cluster.livePods(),
      workloads: this.#cluster.workloads,
      labelsOf: (namespace: string) => this.#cluster.namespaceLabels(namespace, nowUs),
    };
    this.#findings.replaceStanding('inert', inertFindings(coverable, nowUs));
  }
}
