// The join: makes one connection of the records of both observation points and of all intervals. The connection is due for
// evaluation when both sides had time to report it (docs/join.md). The connections depend on the records only, not on
// their order.
import type { Address } from '../../model/address.ts';
import type { JoinedConnection } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import type { Coverage } from './delivered.ts';
import type { Initiator } from './initiator.ts';
import { groupId, groupInitiator, joinedOf } from './observation.ts';
import { observationsOf, outcomeOf } from './outcome.ts';
import { type Group, groupsOf, hasSent, type PairingContext, type Part } from './pairing.ts';
import { addToSide, type End, forgetBefore, isRestored, type Side, sideOf } from './side.ts';
import { type FindBackends, SideIndex } from './side-index.ts';
import { distinctSides, restoredSide, type StoredSide, storedSideOf } from './stored-side.ts';

export type { FindBackends } from './side-index.ts';

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
};

/** `merged`: the connection became part of another one, so its own verdict is void. `retired`: it is forgotten. */
export type JoinEvents = {
  /** Returns until when to keep the connection, because it may be evaluated again; 0: as long as records come. */
  due(joined: JoinedConnection): number;
  merged(id: string): void;
  retired(id: string): void;
};

/** Whether the near address of a side belongs to its pod; undefined while the pod is not known. */
export type OwnsNearAddress = (side: Side, nowUs: number) => boolean | undefined;

type LiveConnection = {
  /** Empty until it is needed: the sides of a young connection change. */
  id: string;
  group: Group;
  initiator: Initiator;
  sides: readonly Side[];
  /** Further records may change the group: other connections have the same ends, or an end has several sides. */
  contested: boolean;
  view: JoinedConnection | undefined;
  updatedUs: number;
  keepUntilUs: number;
  ignored: boolean;
  evaluated: boolean;
  /** Evaluated before the other side's agent had reported that time: evaluated once more after that. */
  awaitsOtherSide: boolean;
};

/** An agent has reported a time if its records reach this far beyond it. */
const settledMarginUs = 100_000;
const idleTimeoutUs = { tcp: 310_000_000, other: 70_000_000 };
const endedTimeoutUs = 5_000_000;
const maxSweptPerTick = 4_000;
/** A check whether a connection is due costs this many times less than an evaluation. */
const checksPerEvaluation = 20;

export class Join {
  readonly #options: JoinOptions;
  readonly #coverage: Coverage;
  readonly #ownsNearAddress: OwnsNearAddress;
  readonly #events: JoinEvents;
  readonly #index: SideIndex;
  readonly #pairing: PairingContext;
  readonly #live = new Set<LiveConnection>();
  /** Those that have an id. */
  readonly #byId = new Map<string, LiveConnection>();
  readonly #connectionsOf = new Map<Side, LiveConnection[]>();
  readonly #pending = new Set<LiveConnection>();
  #pendingCursor: Iterator<LiveConnection> | undefined;
  #sweepCursor: Iterator<LiveConnection> | undefined;
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
    this.#ownsNearAddress = ownsNearAddress;
    this.#events = events;
    this.#index = new SideIndex(findBackends);
    this.#pairing = { isBackend: (protocol, service, backend) => this.#index.isBackend(protocol, service, backend) };
  }

  receive(batch: RecordBatch, nowUs: number): void {
    for (const record of batch.records) this.#receiveRecord(record, batch, nowUs);
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
    this.#sweepEnded(nowUs);
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
    if (live !== undefined) this.#evaluate(live, nowUs);
    return live !== undefined;
  }

  /** The sides of a connection as they are now; empty if it is retired. */
  sidesOf(id: string): StoredSide[] {
    return this.#byId.get(id)?.sides.map(storedSideOf) ?? [];
  }

  /** Continues with connections that were evaluated before a restart. Only a new record makes them due again. */
  restore(connections: readonly { id: string; sides: readonly unknown[] }[], nowUs: number): void {
    const ids = new Set(connections.map(({ id }) => id));
    const sides = distinctSides(connections.flatMap((one) => one.sides.flatMap((side) => restoredSide(side) ?? [])));
    for (const side of sides) this.#index.add(side);
    for (const side of sides) if (!this.#connectionsOf.has(side)) this.#regroup(side, nowUs);
    for (const live of this.#live) {
      if (!ids.has(this.#idOf(live))) continue;
      live.evaluated = true;
      const view = this.#viewOf(live);
      view.id = live.id;
      const isHalf = view.host === undefined && (view.source === undefined || view.destination === undefined);
      if (isHalf) live.keepUntilUs = nowUs + this.#options.maxWaitUs;
      this.#pending.delete(live);
    }
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** `notOurs`: flows to an address that the pod behind the interface does not have. */
  get counts(): { live: number; pending: number; evicted: number; notOurs: number } {
    return { live: this.#live.size, pending: this.#pending.size, evicted: this.#evicted, notOurs: this.#notOurs };
  }

  #receiveRecord(record: ConnectionRecord, batch: RecordBatch, nowUs: number): void {
    const known = this.#index.find(record, batch.node);
    if (known === undefined) {
      const side = sideOf(record, batch.node, batch.clockOffsetUs);
      this.#index.add(side);
      this.#regroup(side, nowUs);
      return;
    }
    const { translation, isn } = known;
    addToSide(known, record, batch.clockOffsetUs);
    const isNewTranslation = known.translation !== translation;
    const isNewEvidence = isNewTranslation || known.isn !== isn;
    if (isRestored(known, record) && !isNewEvidence) return;
    if (isNewTranslation) this.#index.add(known);
    if (isNewEvidence || this.#connectionsOf.get(known)!.some(({ contested }) => contested))
      this.#regroup(known, nowUs);
    for (const live of this.#connectionsOf.get(known)!) this.#touch(live, nowUs);
  }

  #touch(live: LiveConnection, nowUs: number): void {
    live.view = undefined;
    live.updatedUs = nowUs;
    live.awaitsOtherSide = false;
    this.#pending.add(live);
  }

  /** Decides again which of the sides with these ends are one connection. */
  #regroup(side: Side, nowUs: number): void {
    const { sides, connections } = this.#neighbourhoodOf(side);
    for (const one of sides) if (one.atPod) one.ownsNearAddress ??= this.#ownsNearAddress(one, nowUs);
    const groups = groupsOf(sides, this.#pairing);
    for (const one of sides) this.#connectionsOf.set(one, []);
    let previous: Initiator | undefined;
    for (const group of groups) {
      const initiator = groupInitiator(group, previous);
      previous = initiator;
      const live = this.#connectionOf(group, initiator, connections, nowUs);
      live.contested = groups.length > 1 || live.sides.length > group.parts.length;
      connections.delete(live);
      for (const member of live.sides) this.#connectionsOf.get(member)!.push(live);
    }
    for (const gone of connections) this.#remove(gone);
  }

  /** The sides to group again, and their connections until now. A connection is kept whole, also if it has many sides. */
  #neighbourhoodOf(side: Side): { sides: readonly Side[]; connections: Set<LiveConnection> } {
    const related = this.#index.relatedTo(side);
    const connections = new Set<LiveConnection>();
    for (const one of related) for (const live of this.#connectionsOf.get(one) ?? []) connections.add(live);
    if (related.length <= 2 && connections.size <= 1) {
      const [live] = connections;
      if (live === undefined || live.sides.every((one) => related.includes(one)))
        return { sides: related, connections };
    }
    const sides = new Set(related);
    for (const one of sides) {
      for (const live of this.#connectionsOf.get(one) ?? []) {
        connections.add(live);
        for (const member of live.sides) sides.add(member);
      }
    }
    return { sides: [...sides], connections };
  }

  /** The connection of a group: one of `before` if it is not evaluated yet, or if its id stays the same. */
  #connectionOf(
    group: Group,
    initiator: Initiator,
    before: ReadonlySet<LiveConnection>,
    nowUs: number,
  ): LiveConnection {
    const sides = group.parts.length === 1 ? group.parts[0]!.strand.sides : group.parts.flatMap(sidesOfPart);
    const known = this.#sameConnection(group, initiator, sides, before);
    if (known !== undefined) {
      const isSame = isSameGroup(known.group, group) && isSameInitiator(known.initiator, initiator, sides);
      known.group = group;
      known.initiator = initiator;
      known.sides = sides;
      if (!isSame) this.#touch(known, nowUs);
      return known;
    }
    const live: LiveConnection = {
      id: '',
      group,
      initiator,
      sides,
      contested: false,
      view: undefined,
      updatedUs: nowUs,
      keepUntilUs: 0,
      ignored: false,
      evaluated: false,
      awaitsOtherSide: false,
    };
    this.#live.add(live);
    this.#pending.add(live);
    return live;
  }

  #sameConnection(
    group: Group,
    initiator: Initiator,
    sides: readonly Side[],
    before: ReadonlySet<LiveConnection>,
  ): LiveConnection | undefined {
    let id = '';
    for (const live of before) {
      if (live.id === '') continue;
      id ||= groupId(group, initiator);
      if (live.id === id) return live;
    }
    for (const live of before) if (live.id === '' && live.sides.some((one) => sides.includes(one))) return live;
    return undefined;
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
      (protocol, end) => this.#index.backendsOf(protocol, end) !== undefined,
    );
    return live.view;
  }

  #evaluate(live: LiveConnection, nowUs: number): void {
    this.#updateOwners(live, nowUs);
    if (!this.#live.has(live)) return;
    if (isNotOurs(live)) {
      this.#ignore(live);
      return;
    }
    const view = this.#viewOf(live);
    view.id = this.#idOf(live);
    live.evaluated = true;
    live.awaitsOtherSide = nowUs < live.updatedUs + this.#options.maxWaitUs && this.#isOtherSideBehind(view);
    if (!live.awaitsOtherSide) this.#pending.delete(live);
    live.keepUntilUs = this.#events.due(view);
  }

  /** Decides again if an address turned out to be foreign. */
  #updateOwners(live: LiveConnection, nowUs: number): void {
    for (const side of live.sides) {
      if (!side.atPod || side.ownsNearAddress !== undefined) continue;
      side.ownsNearAddress = this.#ownsNearAddress(side, nowUs);
      if (side.ownsNearAddress === false) this.#regroup(side, nowUs);
    }
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
    if (live.awaitsOtherSide)
      return nowUs >= live.updatedUs + this.#options.maxWaitUs || !this.#isOtherSideBehind(view);
    const answered = outcomeOf(view) !== 'unanswered';
    const settledUs = live.evaluated ? view.startUs : view.startUs + (answered ? 0 : this.#options.answerTimeoutUs);
    if (nowUs < settledUs) return false;
    if (nowUs > settledUs + this.#options.maxLagUs) return true;
    return this.#awaitedNodes(view, answered).every((node) => {
      const agent = this.#coverage.reportingAgent(node, nowUs);
      return agent === undefined || agent.coveredUntilUs > settledUs + settledMarginUs;
    });
  }

  /** The agent of a side that is missing has not reported until the end of the connection. */
  #isOtherSideBehind(view: JoinedConnection): boolean {
    if (view.host !== undefined || (view.source !== undefined && view.destination !== undefined)) return false;
    return this.#awaitedNodes(view, true).some((node) => {
      const coveredUntilUs = this.#coverage.coveredUntilUs(node);
      return coveredUntilUs !== undefined && coveredUntilUs <= view.lastUs + settledMarginUs;
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

  #backendsOf({ protocol, originalTuple }: JoinedConnection): readonly End[] | undefined {
    const { responder, responderPort } = originalTuple;
    return this.#index.backendsOf(protocol, { address: responder, port: responderPort });
  }

  #sweepEnded(nowUs: number): void {
    this.#sweepCursor ??= this.#live.values();
    for (let i = 0; i < maxSweptPerTick; i++) {
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
    if (!live.evaluated && !isNotOurs(live)) return false;
    const view = this.#viewOf(live);
    const idleUs = nowUs - live.updatedUs;
    if (observationsOf(view).every((one) => one.ended) && idleUs > endedTimeoutUs) return true;
    return idleUs > (view.protocol === TCP ? idleTimeoutUs.tcp : idleTimeoutUs.other);
  }

  #retire(live: LiveConnection): void {
    this.#live.delete(live);
    this.#pending.delete(live);
    if (live.id !== '' && this.#byId.get(live.id) === live) this.#byId.delete(live.id);
    for (const { strand, untilUs } of live.group.parts) {
      for (const side of strand.sides) {
        const others = (this.#connectionsOf.get(side) ?? []).filter((one) => one !== live);
        if (others.length > 0) {
          this.#connectionsOf.set(side, others);
          if (untilUs !== Number.POSITIVE_INFINITY) forgetBefore(side, untilUs);
          continue;
        }
        this.#connectionsOf.delete(side);
        this.#index.remove(side);
      }
    }
    this.#events.retired(live.id);
  }
}

/** The pod behind the interface neither has the address nor sent a packet. */
function isNotOurs({ group }: LiveConnection): boolean {
  return group.parts.every(({ strand }) => strand.first.ownsNearAddress === false && !hasSent(strand));
}

function sidesOfPart({ strand }: Part): readonly Side[] {
  return strand.sides;
}

function isSameInitiator(a: Initiator, b: Initiator, sides: readonly Side[]): boolean {
  return a.certain === b.certain && sides.every((side) => a.isNear(side) === b.isNear(side));
}

function isSameGroup(a: Group, b: Group): boolean {
  const partsOf = (group: Group) =>
    group.parts.flatMap(({ strand, fromUs, untilUs }) => strand.sides.map((side) => ({ side, fromUs, untilUs })));
  const [one, other] = [partsOf(a), partsOf(b)];
  return (
    one.length === other.length &&
    a.sequenceRewritten === b.sequenceRewritten &&
    a.senderAmbiguous === b.senderAmbiguous &&
    a.mayBeOfService === b.mayBeOfService &&
    one.every(({ side, fromUs, untilUs }) =>
      other.some((more) => more.side === side && more.fromUs === fromUs && more.untilUs === untilUs),
    )
  );
}
