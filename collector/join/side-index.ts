// Finds the sides that may belong to one connection: they have the same ends, before or after translation, or one names a
// Service and the other one of its endpoints.

import type { Address } from '../../model/address.ts';
import type { ConnectionRecord, Tuple } from '../../model/record.ts';
import { isUniqueAddress } from '../identity/local-addresses.ts';
import { initiatorKey, tupleKey } from './keys.ts';
import { initiatorFirst } from './pairing.ts';
import { maxComparedInCrowd, SameEnds } from './same-ends.ts';
import { type End, isSameEnd, type Side } from './side.ts';

/** The ready endpoints of the Service with that address and port at that time; undefined if it is not a Service. */
export type FindBackends = (
  protocol: number,
  address: Address,
  port: number,
  timeUs: number,
) => { address: Address; port: number }[] | undefined;

/** More sides are not compared. */
const maxRelatedSides = 64;

/** `crowded`: there are more than can be compared. */
export type RelatedSides = { sides: readonly Side[]; crowded: boolean };

type Keys = { tuples: string[]; toService: string | undefined; fromInitiator: string | undefined };

type Neighbours = { sides: SameEnds; matches(other: Side): boolean };

export class SideIndex {
  readonly #findBackends: FindBackends;
  readonly #byTuple = new Map<string, SameEnds>();
  /** Sides whose responder is a Service, by the initiator. */
  readonly #toService = new Map<string, SameEnds>();
  /** Sides that may be at an endpoint of a Service, by the initiator. */
  readonly #fromInitiator = new Map<string, SameEnds>();
  readonly #keys = new Map<Side, Keys>();

  constructor(findBackends: FindBackends) {
    this.#findBackends = findBackends;
  }

  find(record: ConnectionRecord, node: string): Side | undefined {
    return this.#byTuple.get(recordKey(record, node))?.find(node, record.interfaceIndex, record.beganUs);
  }

  /** Call again when the side got a translation or a sequence number. Returns the sides that became a crowd. */
  add(side: Side): readonly Side[] {
    const keys = this.#keysOf(side);
    this.remove(side);
    this.#keys.set(side, keys);
    const crowd = keys.tuples.flatMap((key) => addTo(this.#byTuple, key, side));
    if (keys.toService !== undefined) crowd.push(...addTo(this.#toService, keys.toService, side));
    if (keys.fromInitiator !== undefined) addTo(this.#fromInitiator, keys.fromInitiator, side);
    return crowd;
  }

  remove(side: Side): void {
    const keys = this.#keys.get(side);
    if (keys === undefined) return;
    this.#keys.delete(side);
    for (const key of keys.tuples) removeFrom(this.#byTuple, key, side);
    if (keys.toService !== undefined) removeFrom(this.#toService, keys.toService, side);
    if (keys.fromInitiator !== undefined) removeFrom(this.#fromInitiator, keys.fromInitiator, side);
  }

  /** The side itself and those that may belong to the same or to neighbouring connections. */
  relatedTo(side: Side): RelatedSides {
    const few = this.#fewRelatedTo(side);
    if (few !== undefined) return { sides: few, crowded: false };
    const related = new Set([side]);
    for (const one of related) {
      const lists = this.#listsOf(one);
      if (lists.some(({ sides }) => sides.isCrowd)) return this.#nearestTo(side);
      for (const { sides, matches } of lists) for (const other of sides.few) if (matches(other)) related.add(other);
      if (related.size > maxRelatedSides) return this.#nearestTo(side);
    }
    return { sides: [...related], crowded: false };
  }

  /** Whether all sides with the same ends and sequence number are among those that are compared. */
  isWhole(side: Side): boolean {
    return this.#listsOf(side).every(({ sides }) => sides.nearestTo(side).isWhole);
  }

  #nearestTo(side: Side): RelatedSides {
    const related = new Set([side]);
    for (const one of related) {
      for (const { sides, matches } of this.#listsOf(one)) {
        for (const other of sides.nearestTo(one).sides) {
          if (related.size >= maxComparedInCrowd) return { sides: [...related], crowded: true };
          if (matches(other)) related.add(other);
        }
      }
    }
    return { sides: [...related], crowded: true };
  }

  /** The usual case: one side, or the two of a connection, and no Service in between. */
  #fewRelatedTo(side: Side): readonly Side[] | undefined {
    const sides = this.#byTuple.get(this.#keys.get(side)!.tuples[0]!)!;
    if (sides.size > 2 || sides.isCrowd) return undefined;
    return sides.few.every((one) => this.#hasOnlyItsTuple(one)) ? sides.few.slice() : undefined;
  }

  #hasOnlyItsTuple(side: Side): boolean {
    const { tuples, toService, fromInitiator } = this.#keys.get(side)!;
    if (tuples.length > 1 || toService !== undefined) return false;
    return fromInitiator === undefined || !this.#toService.has(fromInitiator);
  }

  isBackend(protocol: number, service: End, backend: End, timeUs: number): boolean {
    const backends = this.backendsOf(protocol, service, timeUs);
    return backends?.some((one) => isSameEnd(one, backend)) ?? false;
  }

  backendsOf(protocol: number, end: End, timeUs: number): readonly End[] | undefined {
    return this.#findBackends(protocol, end.address, end.port, timeUs);
  }

  /** Where the neighbours of a side are. */
  #listsOf(side: Side): Neighbours[] {
    const { tuples, toService, fromInitiator } = this.#keys.get(side)!;
    const lists: Neighbours[] = tuples.map((key) => ({ sides: this.#byTuple.get(key)!, matches: () => true }));
    const [, responder] = initiatorFirst(side);
    const endpoints = toService === undefined ? undefined : this.#fromInitiator.get(toService);
    if (endpoints !== undefined)
      lists.push({
        sides: endpoints,
        matches: (other) => this.isBackend(side.protocol, responder, initiatorFirst(other)[1], side.beganUs),
      });
    const services = fromInitiator === undefined ? undefined : this.#toService.get(fromInitiator);
    if (services !== undefined)
      lists.push({
        sides: services,
        matches: (other) => this.isBackend(side.protocol, initiatorFirst(other)[1], responder, other.beganUs),
      });
    return lists;
  }

  #keysOf(side: Side): Keys {
    const { protocol, near, far, translation, beganUs } = side;
    const tuples = [sideKey(side, { ...tupleOfEnds(near, far) })];
    if (translation !== undefined) {
      for (const tuple of [translation.original, translation.translated]) {
        const key = tupleKey(protocol, tuple);
        if (!tuples.includes(key)) tuples.push(key);
      }
      return { tuples, toService: undefined, fromInitiator: undefined };
    }
    const [initiator, responder] = initiatorFirst(side);
    if (!isUniqueAddress(initiator.address) || !isUniqueAddress(responder.address))
      return { tuples, toService: undefined, fromInitiator: undefined };
    const key = initiatorKey(protocol, initiator);
    const isToService =
      !(side.atPod && side.far === initiator) && this.backendsOf(protocol, responder, beganUs) !== undefined;
    return {
      tuples,
      toService: isToService ? key : undefined,
      fromInitiator: side.atPod && side.near === initiator ? undefined : key,
    };
  }
}

function recordKey(record: ConnectionRecord, node: string): string {
  const key = tupleKey(record.protocol, record);
  if (isUniqueAddress(record.initiator) && isUniqueAddress(record.responder)) return key;
  return `${key} ${node} ${record.interfaceIndex}`;
}

/** Addresses that are not unique belong to one link, so sides of two interfaces never have the same key. */
function sideKey(side: Side, tuple: Tuple): string {
  const key = tupleKey(side.protocol, tuple);
  if (isUniqueAddress(side.near.address) && isUniqueAddress(side.far.address)) return key;
  return `${key} ${side.node} ${side.interfaceIndex}`;
}

function tupleOfEnds(a: End, b: End): Tuple {
  return { initiator: a.address, initiatorPort: a.port, responder: b.address, responderPort: b.port };
}

function addTo(index: Map<string, SameEnds>, key: string, side: Side): readonly Side[] {
  let sides = index.get(key);
  if (sides === undefined) {
    sides = new SameEnds();
    index.set(key, sides);
  }
  return sides.add(side);
}

function removeFrom(index: Map<string, SameEnds>, key: string, side: Side): void {
  const sides = index.get(key);
  sides?.remove(side);
  if (sides?.size === 0) index.delete(key);
}
