// The join: makes one connection of the records of both observation points and of all intervals. The connection is due for
// evaluation when both sides had time to report it (docs/join.md). The connections depend on the records only, not on
// their order.
import type { Address } from '../../model/address.ts';
import type { JoinedConnection } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { type Coverage, reportedMarginUs } from './delivered.ts';
import { Grouping, hasNoPackets, isNotOurs, type LiveConnection, type OwnsNearAddress } from './grouping.ts';
import { groupId, joinedOf } from './observation.ts';
import { observationsOf, outcomeOf } from './outcome.ts';
import type { End, Side } from './side.ts';
import type { FindBackends } from './side-index.ts';
import { type RestoredJoin, type StoredJoin, storedJoinOf } from './stored-side.ts';
import { idleTimeoutUs } from './strand.ts';

/** Records of one node in one batch. The offset converts their times to the collector's clock. */
export type RecordBatch = { node: string; clockOffsetUs: number; records: readonly ConnectionRecord[] };

export type JoinOptions = {
  /** How long to wait for an answer before evaluation. A later answer causes a re-evaluation. */
  answerTimeoutUs: number;
  /** How long to wait for an agent that lags, before the first evaluation. */
  maxLagUs: number;
  /** How long to keep a connection that ended, for the other side's agent. */
  maxWaitUs: number;
  maxLive: number;
  /** Each connection gets a record that says that it ended, however long that takes: idle ones are kept. For files. */
  keepsIdle?: boolean;
};

/** `merged`: the connection became part of another one, so its own verdict is void. `retired`: it is forgotten. */
export type JoinEvents = {
  /** Returns until when to keep the connection, because it may be evaluated again; 0: as long as records come. */
  due(joined: JoinedConnection, awaitsOtherSide: boolean): number;
  merged(id: string): void;
  retired(id: string): void;
};

const endedTimeoutUs = 5_000_000;
/** Agents connect again within this time after a restart of the collector. */
const reconnectUs = 15_000_000;
/** How long to wait for all agents, before the first evaluation. One of many may always lag. */
const maxAnySenderWaitUs = 2_000_000;
const maxSweptPerTick = 4_000;
/** A check whether a connection is due costs this many times less than an evaluation. */
const checksPerEvaluation = 20;

export class Join {
  readonly #options: JoinOptions;
  readonly #coverage: Coverage;
  readonly #events: JoinEvents;
  readonly #grouping: Grouping;
  readonly #live = new Set<LiveConnection>();
  /** Those that have an id. */
  readonly #byId = new Map<string, LiveConnection>();
  readonly #pending = new Set<LiveConnection>();
  #pendingCursor: Iterator<LiveConnection> | undefined;
  #sweepCursor: Iterator<LiveConnection> | undefined;
  /** Until then, agents may not have connected again after a restart. */
  #reconnectedUs = 0;
  #evicted = 0;
  #notOurs = 0;

  constructor(
    options: JoinOptions,
    coverage: Coverage,
    findBackends: FindBackends,
    ownsNearAddress: OwnsNearAddress,
    events: JoinEvents,
  ) {
    this.#options = options;
    this.#coverage = coverage;
    this.#events = events;
    const seesFromPod = ({ podUid, near }: Side) => coverage.interfaceOf(podUid, near.address)?.seesFromPod ?? true;
    this.#grouping = new Grouping(findBackends, ownsNearAddress, seesFromPod, {
      begun: (live) => {
        this.#live.add(live);
        this.#pending.add(live);
      },
      changed: (live, atUs) => this.#touch(live, atUs),
      removed: (live) => this.#remove(live),
    });
  }

  receive(batch: RecordBatch, nowUs: number): void {
    for (const record of batch.records) this.#grouping.receive(record, batch.node, batch.clockOffsetUs, nowUs);
    for (const oldest of this.#live) {
      if (this.#live.size <= this.#options.maxLive) break;
      this.#evaluate(oldest, nowUs);
      if (!this.#live.has(oldest)) continue;
      this.#evicted += 1;
      this.#retire(oldest);
    }
  }

  /**
   * Evaluates connections that are due, at most `maxConnections`, and retires those that ended; call it often. Returns
   * true if it stopped at the limit: the next call continues there.
   */
  tick(nowUs: number, maxConnections = Number.POSITIVE_INFINITY): boolean {
    this.#pendingCursor ??= this.#pending.values();
    let evaluatedCount = 0;
    for (
      let checkedCount = 0;
      evaluatedCount < maxConnections && checkedCount < maxConnections * checksPerEvaluation;
      checkedCount++
    ) {
      const next = this.#pendingCursor.next();
      if (next.done) {
        this.#pendingCursor = undefined;
        break;
      }
      if (!this.#isDue(next.value, nowUs)) continue;
      this.#evaluate(next.value, nowUs);
      evaluatedCount += 1;
    }
    this.#sweepEnded(nowUs, maxConnections === Number.POSITIVE_INFINITY ? maxConnections : maxSweptPerTick);
    return this.#pendingCursor !== undefined;
  }

  /** Evaluates all pending connections now, at the end of a file or of the program. */
  finish(): void {
    for (const live of this.#pending) {
      this.#evaluate(live, Number.POSITIVE_INFINITY);
      this.#pending.delete(live);
    }
  }

  /** Evaluates a connection that was evaluated before, with what is known now. False if it is retired. */
  evaluateAgain(id: string, nowUs: number): boolean {
    const live = this.#byId.get(id);
    if (live === undefined) return false;
    if (this.#awaitsAgents(live, nowUs)) this.#pending.add(live);
    else this.#evaluate(live, nowUs);
    return true;
  }

  /** A connection as it is now, to be stored; undefined if it is retired. */
  storedOf(id: string): StoredJoin | undefined {
    const live = this.#byId.get(id);
    return live && storedJoinOf(live);
  }

  /**
   * Continues with connections that were evaluated before a restart, the oldest first. A new record makes a connection due
   * again. So does `open`.
   */
  restore(connections: readonly RestoredJoin[], nowUs: number): void {
    const stored = new Map(connections.map((one) => [one.id, one]));
    this.#reconnectedUs = nowUs + reconnectUs;
    this.#grouping.restore(connections, nowUs);
    for (const live of this.#live) {
      const known = stored.get(this.#idOf(live));
      if (known === undefined) continue;
      live.evaluated = true;
      this.#byId.set(live.id, live);
      // What was not known may be known when the agents have reported again.
      live.awaitsOtherSide = known.open;
      live.dueFromUs = this.#reconnectedUs;
      if (!known.open) this.#pending.delete(live);
    }
    this.#grouping.regroupTorn(nowUs);
    for (const live of this.#live) {
      if (!live.evaluated || !this.#canRetire(live, nowUs)) continue;
      this.#grouping.retireRestored(live);
      this.#forget(live);
    }
  }

  /** Call when the batches from before the restart are joined again. */
  restored(): void {
    this.#grouping.restored();
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** `notOurs`: flows to an address that the pod behind the interface does not have. */
  get counts(): { live: number; pending: number; evicted: number; notOurs: number } {
    return { live: this.#live.size, pending: this.#pending.size, evicted: this.#evicted, notOurs: this.#notOurs };
  }

  #touch(live: LiveConnection, nowUs: number): void {
    live.view = undefined;
    live.updatedUs = nowUs;
    live.awaitsOtherSide = false;
    live.dueFromUs = 0;
    this.#pending.add(live);
  }

  #idOf(live: LiveConnection): string {
    if (live.id !== '') return live.id;
    live.id = groupId(live.group, live.initiator);
    const other = this.#byId.get(live.id);
    if (other !== undefined) this.#remove(other);
    this.#byId.set(live.id, live);
    return live.id;
  }

  #remove(live: LiveConnection): void {
    this.#live.delete(live);
    this.#pending.delete(live);
    if (live.id !== '' && this.#byId.get(live.id) === live) this.#byId.delete(live.id);
    if (live.evaluated) this.#events.merged(live.id);
  }

  #viewOf(live: LiveConnection): JoinedConnection {
    live.view ??= joinedOf(
      live.id,
      live.group,
      live.initiator,
      (...service) => this.#grouping.backendsOf(...service) !== undefined,
    );
    return live.view;
  }

  #evaluate(live: LiveConnection, nowUs: number): void {
    this.#grouping.updateOwners(live, nowUs);
    if (!this.#live.has(live)) return;
    if (hasNoPackets(live)) {
      this.#pending.delete(live);
      return;
    }
    if (isNotOurs(live)) {
      this.#ignore(live);
      return;
    }
    const view = this.#viewOf(live);
    view.id = this.#idOf(live);
    live.evaluated = true;
    live.awaitsOtherSide = nowUs < live.updatedUs + this.#options.maxWaitUs && this.#isOtherSideBehind(view);
    if (!live.awaitsOtherSide) this.#pending.delete(live);
    live.keepUntilUs = this.#events.due(view, live.awaitsOtherSide);
  }

  /** Packets to other addresses reached the interface, such as on a bridge that floods: they prove nothing. */
  #ignore(live: LiveConnection): void {
    this.#pending.delete(live);
    if (live.evaluated) this.#events.merged(live.id);
    live.evaluated = false;
    if (!live.ignored) this.#notOurs += 1;
    live.ignored = true;
  }

  #isDue(live: LiveConnection, nowUs: number): boolean {
    const view = this.#viewOf(live);
    if (nowUs < live.dueFromUs) return false;
    if (live.awaitsOtherSide)
      return nowUs >= live.updatedUs + this.#options.maxWaitUs || !this.#isOtherSideBehind(view);
    if (this.#awaitsAgents(live, nowUs)) return false;
    const answered = outcomeOf(view) !== 'unanswered';
    const settledUs = live.evaluated ? view.startUs : view.startUs + (answered ? 0 : this.#options.answerTimeoutUs);
    if (nowUs < settledUs) return false;
    if (nowUs > settledUs + this.#options.maxLagUs) return true;
    const isReported = this.#awaitedNodes(view, answered).every((node) => {
      const agent = this.#coverage.reportingAgent(node, nowUs);
      return agent === undefined || agent.coveredUntilUs > settledUs + reportedMarginUs;
    });
    return isReported && !this.#awaitsAnySender(view, settledUs, nowUs);
  }

  /** No interface has the initiator's address, so that any pod may have sent with it. */
  #awaitsAnySender({ source, originalTuple }: JoinedConnection, settledUs: number, nowUs: number): boolean {
    if (source !== undefined || nowUs > settledUs + maxAnySenderWaitUs) return false;
    if (this.#nodesAt([originalTuple.initiator]).length > 0) return false;
    return this.#coverage.allCoveredUntilUs(nowUs) <= settledUs + reportedMarginUs;
  }

  /** After a restart: the agents of the connection may not have connected again, so their interfaces are not known. */
  #awaitsAgents(live: LiveConnection, nowUs: number): boolean {
    if (nowUs >= this.#reconnectedUs) return false;
    const view = this.#viewOf(live);
    return (
      isOneSided(view) ||
      observationsOf(view).some(({ node }) => this.#coverage.reportingAgent(node, nowUs) === undefined)
    );
  }

  /** The agent of a side that is missing has not reported until the end of the connection. */
  #isOtherSideBehind(view: JoinedConnection): boolean {
    if (!isOneSided(view)) return false;
    return this.#awaitedNodes(view, true).some((node) => {
      const coveredUntilUs = this.#coverage.coveredUntilUs(node);
      return coveredUntilUs !== undefined && coveredUntilUs <= view.lastUs + reportedMarginUs;
    });
  }

  /** Nodes that have to report first: those of sides not seen yet; without an answer, those of both sides. */
  #awaitedNodes(view: JoinedConnection, answered: boolean): string[] {
    const nodes: string[] = [];
    if (view.source === undefined) nodes.push(...this.#nodesAt([view.originalTuple.initiator]));
    else if (!answered) nodes.push(view.source.node);
    if (view.destination !== undefined) {
      if (!answered) nodes.push(view.destination.node);
      return nodes;
    }
    const backends = view.originalTuple === view.translatedTuple ? this.#backendsOf(view) : undefined;
    nodes.push(...this.#nodesAt(backends?.map((one) => one.address) ?? [view.translatedTuple.responder]));
    return nodes;
  }

  #nodesAt(addresses: readonly Address[]): string[] {
    return addresses
      .map((address) => this.#coverage.interfaceOf('', address)?.node)
      .filter((node) => node !== undefined);
  }

  #backendsOf({ protocol, originalTuple, startUs }: JoinedConnection): readonly End[] | undefined {
    const { responder, responderPort } = originalTuple;
    return this.#grouping.backendsOf(protocol, { address: responder, port: responderPort }, startUs);
  }

  #sweepEnded(nowUs: number, max: number): void {
    this.#sweepCursor ??= this.#live.values();
    for (let i = 0; i < max; i++) {
      const next = this.#sweepCursor.next();
      if (next.done) {
        this.#sweepCursor = undefined;
        return;
      }
      if (this.#canRetire(next.value, nowUs)) this.#retire(next.value);
    }
  }

  /** A connection that awaits its other side is pending. */
  #canRetire(live: LiveConnection, nowUs: number): boolean {
    if (this.#pending.has(live) || nowUs < live.keepUntilUs) return false;
    if (!live.evaluated && !isNotOurs(live) && !hasNoPackets(live)) return false;
    const view = this.#viewOf(live);
    const idleUs = nowUs - live.updatedUs;
    const isEnded = observationsOf(view).every((one) => one.ended);
    // The other interface of a file may report its end with the next records, which come before this check.
    if (this.#options.keepsIdle === true) return isEnded && idleUs > 0;
    if (isEnded && idleUs > endedTimeoutUs) return true;
    return idleUs > (view.protocol === TCP ? idleTimeoutUs.tcp : idleTimeoutUs.other);
  }

  #retire(live: LiveConnection): void {
    this.#grouping.retire(live);
    this.#forget(live);
  }

  #forget(live: LiveConnection): void {
    this.#live.delete(live);
    this.#pending.delete(live);
    if (live.id !== '' && this.#byId.get(live.id) === live) this.#byId.delete(live.id);
    this.#events.retired(live.id);
  }
}

function isOneSided({ host, source, destination }: JoinedConnection): boolean {
  return host === undefined && (source === undefined || destination === undefined);
}
