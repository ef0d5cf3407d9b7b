// Which sides are one connection, as records arrive. Each new side is grouped with those that have the same ends.
import type { JoinedConnection } from '../../model/joined.ts';
import { type ConnectionRecord, RST } from '../../model/record.ts';
import type { Initiator } from './initiator.ts';
import { groupId, groupInitiator } from './observation.ts';
import { crowdedGroups, type Group, groupsOf, hasSent, isForeign, type PairingContext, type Part } from './pairing.ts';
import { maxComparedInCrowd } from './same-ends.ts';
import { addToSide, type End, forgetBefore, isRestored, type Side, sideOf } from './side.ts';
import { type FindBackends, SideIndex } from './side-index.ts';
import { DistinctSides, type RestoredJoin, restoredGroup, restoredSide } from './stored-side.ts';

/** Whether the near address of a side belongs to its pod; undefined while the pod is not known. */
export type OwnsNearAddress = (side: Side, nowUs: number) => Side['ownsNearAddress'];

export type LiveConnection = {
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
  /** Not evaluated before that time. */
  dueFromUs: number;
  evaluated: boolean;
  /** Evaluated before the other side's agent had reported that time: evaluated once more after that. */
  awaitsOtherSide: boolean;
};

/** `removed`: its sides are in other connections now. */
export type GroupingEvents = {
  begun(live: LiveConnection): void;
  changed(live: LiveConnection, nowUs: number): void;
  removed(live: LiveConnection): void;
};

export class Grouping {
  readonly #ownsNearAddress: OwnsNearAddress;
  readonly #events: GroupingEvents;
  readonly #index: SideIndex;
  readonly #pairing: PairingContext;
  readonly #connectionsOf = new Map<Side, LiveConnection[]>();
  /** Sides that were over before a restart. While batches are joined again, their records are ignored. */
  readonly #over = new DistinctSides();

  constructor(
    findBackends: FindBackends,
    ownsNearAddress: OwnsNearAddress,
    seesFromPod: (side: Side) => boolean,
    events: GroupingEvents,
  ) {
    this.#ownsNearAddress = ownsNearAddress;
    this.#events = events;
    this.#index = new SideIndex(findBackends);
    this.#pairing = { seesFromPod, isBackend: (...ends) => this.#index.isBackend(...ends) };
  }

  /** Adds a record to its side, and reports which connections changed. */
  receive(record: ConnectionRecord, node: string, clockOffsetUs: number, nowUs: number): void {
    const known = this.#index.find(record, node);
    if (known === undefined) {
      const side = sideOf(record, node, clockOffsetUs);
      if (this.#over.contains(side)) return;
      this.#addToIndex(side, nowUs);
      this.#regroup(side, nowUs);
      return;
    }
    const { translation, isn } = known;
    const { ended } = known.total;
    const evidence = evidenceOf(known);
    addToSide(known, record, clockOffsetUs);
    const isNewTranslation = known.translation !== translation;
    const isNewEvidence = isNewTranslation || evidenceOf(known) !== evidence;
    if (isRestored(known, record) && !isNewEvidence && ended === known.total.ended) return;
    if (isNewTranslation || known.isn !== isn) this.#addToIndex(known, nowUs);
    if (isNewEvidence || this.#connectionsOf.get(known)!.some(({ contested }) => contested))
      this.#regroup(known, nowUs);
    for (const live of this.#connectionsOf.get(known)!) this.#events.changed(live, nowUs);
  }

  /** In a crowd, other sides are compared than before: decides again about each of them. */
  #addToIndex(side: Side, nowUs: number): void {
    for (const one of this.#index.add(side)) if (one !== side) this.#regroup(one, nowUs);
  }

  /** Adds connections that the store has, with all their records, and the sides that were one. The oldest come first. */
  restore(connections: readonly RestoredJoin[], nowUs: number): void {
    const distinct = new DistinctSides();
    const sidesOf = new Map(connections.map((one) => [one, one.sides.flatMap((side) => restoredSide(side) ?? [])]));
    for (const sides of sidesOf.values()) for (const side of sides) distinct.add(side);
    for (const side of distinct.all) this.#index.add(side);
    for (const [{ id, group: stored }, copies] of sidesOf) {
      const sides = copies.map((side) => distinct.latestOf(side));
      const restored = restoredGroup(stored, sides);
      if (restored === undefined || sides.length === 0) continue;
      const live = newConnection(restored.group, restored.initiator, sides, nowUs);
      Object.assign(live, { id, contested: restored.contested, updatedUs: restored.updatedUs });
      for (const side of sides) this.#connectionsOf.set(side, [...(this.#connectionsOf.get(side) ?? []), live]);
      this.#events.begun(live);
    }
    // An older version stored no group: group these sides now.
    for (const side of distinct.all) if (!this.#connectionsOf.has(side)) this.#regroup(side, nowUs);
  }

  /**
   * Decides again about restored sides that are in several connections at the same time: some of these were stored before a
   * later record of them was, and the others after it.
   */
  regroupTorn(nowUs: number): void {
    for (const [side, connections] of this.#connectionsOf)
      if (connections.length > 1 && this.#isTorn(side)) this.#regroup(side, nowUs);
  }

  #isTorn(side: Side): boolean {
    const parts = this.#connectionsOf
      .get(side)!
      .flatMap(({ group }) => group.parts.filter(({ strand }) => strand.sides.includes(side)))
      .sort((a, b) => a.fromUs - b.fromUs);
    return parts.some(({ untilUs }, index) => untilUs > (parts[index + 1]?.fromUs ?? Number.POSITIVE_INFINITY));
  }

  /** A restored connection was over before the restart. */
  retireRestored(live: LiveConnection): void {
    this.retire(live);
    for (const side of live.sides) if (!this.#connectionsOf.has(side)) this.#over.add(side);
  }

  /** All batches from before the restart are joined again. */
  restored(): void {
    this.#over.clear();
  }

  /** Decides again if an address turned out to be foreign. */
  updateOwners(live: LiveConnection, nowUs: number): void {
    for (const side of live.sides) {
      if (!side.atPod || side.ownsNearAddress !== undefined) continue;
      side.ownsNearAddress = this.#ownsNearAddress(side, nowUs);
      if (isForeign(side)) this.#regroup(side, nowUs);
    }
  }

  /** Forgets the sides of a connection that is over. A side that goes on in another connection loses its older records. */
  retire(live: LiveConnection): void {
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
  }

  /** The ready endpoints of a Service at that time; undefined for any other address. */
  backendsOf(protocol: number, end: End, timeUs: number): readonly End[] | undefined {
    return this.#index.backendsOf(protocol, end, timeUs);
  }

  /** Decides again which of the sides with these ends are one connection. */
  #regroup(side: Side, nowUs: number): void {
    const { sides, connections, crowded } = this.#neighbourhoodOf(side);
    for (const one of sides) if (one.atPod) one.ownsNearAddress ??= this.#ownsNearAddress(one, nowUs);
    const groups = crowded
      ? crowdedGroups(sides, this.#pairing, (one) => this.#index.isWhole(one))
      : groupsOf(sides, this.#pairing);
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
    for (const gone of connections) this.#events.removed(gone);
  }

  /** The sides to group again, and their connections until now. A connection is kept whole, also if it has many sides. */
  #neighbourhoodOf(side: Side): { sides: readonly Side[]; connections: Set<LiveConnection>; crowded: boolean } {
    const { sides: related, crowded } = this.#index.relatedTo(side);
    const sides = new Set<Side>();
    const connections = new Set<LiveConnection>();
    if (!crowded && related.length <= 2) {
      for (const one of related) for (const live of this.#connectionsOf.get(one) ?? []) connections.add(live);
      const [live] = connections;
      if (connections.size <= 1 && (live === undefined || live.sides.every((one) => related.includes(one))))
        return { sides: related, connections, crowded };
    }
    for (const one of related) {
      if (sides.has(one)) continue;
      const whole = this.#connectedTo(one);
      // Otherwise a connection in a crowd could grow with each record.
      if (crowded && one !== side && sides.size + whole.size > maxComparedInCrowd) continue;
      for (const more of whole) sides.add(more);
    }
    for (const one of sides) for (const live of this.#connectionsOf.get(one) ?? []) connections.add(live);
    return { sides: [...sides], connections, crowded };
  }

  /** The side, and all that are in a connection with it. */
  #connectedTo(side: Side): Set<Side> {
    const sides = new Set([side]);
    for (const one of sides)
      for (const live of this.#connectionsOf.get(one) ?? []) for (const member of live.sides) sides.add(member);
    return sides;
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
      if (!isSame) this.#events.changed(known, nowUs);
      return known;
    }
    const live = newConnection(group, initiator, sides, nowUs);
    this.#events.begun(live);
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
}

function newConnection(group: Group, initiator: Initiator, sides: readonly Side[], nowUs: number): LiveConnection {
  return {
    id: '',
    group,
    initiator,
    sides,
    contested: false,
    view: undefined,
    updatedUs: nowUs,
    keepUntilUs: 0,
    ignored: false,
    dueFromUs: 0,
    evaluated: false,
    awaitsOtherSide: false,
  };
}

/** The pod behind the interface neither has the address nor sent a packet. */
export function isNotOurs({ group }: LiveConnection): boolean {
  return group.parts.every(({ strand }) => isForeign(strand.first) && !hasSent(strand));
}

/** Only a translation is known: it was learned so late that the connection was forgotten, or its packets come later. */
export function hasNoPackets({ sides }: LiveConnection): boolean {
  return sides.every(({ total: { near, far, unreachable } }) => near.packets + far.packets === 0 && !unreachable);
}

/** What grouping and the initiator depend on, as bits. */
function evidenceOf({ isn, initiatorBy, nearInitiated, total: { near, far } }: Side): number {
  return (
    Number(isn !== undefined) |
    (Number(initiatorBy === 'handshake') << 1) |
    (Number(nearInitiated) << 2) |
    (Number(near.packets > 0) << 3) |
    (Number(far.packets > 0) << 4) |
    (Number(near.replied) << 5) |
    (Number((near.tcpFlags & ~RST) !== 0) << 6)
  );
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
