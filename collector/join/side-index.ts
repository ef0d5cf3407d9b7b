// Finds the sides that may belong to one connection: they have the same ends, before or after translation, or one names a
// Service and the other one of its endpoints.

import type { Address } from '../../model/address.ts';
import type { ConnectionRecord, Tuple } from '../../model/record.ts';
import { isUniqueAddress } from '../identity/local-addresses.ts';
import { initiatorKey, tupleKey } from './keys.ts';
import { initiatorFirst } from './pairing.ts';
import { type End, isSameEnd, type Side } from './side.ts';

/** The ready endpoints of the Service with that address and port at that time; undefined if it is not a Service. */
export type FindBackends = (
  protocol: number,
  address: Address,
  port: number,
  timeUs: number,
) => { address: Address; port: number }[] | undefined;

/** More sides with the same ends are not compared: a sender could reuse its ports without end. */
export const maxRelatedSides = 64;

type Keys = { tuples: string[]; toService: string | undefined; fromInitiator: string | undefined };

export class SideIndex {
  readonly #findBackends: FindBackends;
  readonly #byTuple = new Map<string, Side[]>();
  /** Sides whose responder is a Service, by the initiator. */
  readonly #toService = new Map<string, Side[]>();
  /** Sides that may be at an endpoint of a Service, by the initiator. */
  readonly #fromInitiator = new Map<string, Side[]>();
  readonly #keys = new Map<Side, Keys>();

  constructor(findBackends: FindBackends) {
    this.#findBackends = findBackends;
  }

  find(record: ConnectionRecord, node: string): Side | undefined {
    const sides = this.#byTuple.get(recordKey(record, node));
    return sides?.find(
      (side) =>
        side.agentBeganUs === record.beganUs && side.interfaceIndex === record.interfaceIndex && side.node === node,
    );
  }

  /** Call again when the side got a translation. */
  add(side: Side): void {
    const keys = this.#keysOf(side);
    this.remove(side);
    this.#keys.set(side, keys);
    for (const key of keys.tuples) addTo(this.#byTuple, key, side);
    if (keys.toService !== undefined) addTo(this.#toService, keys.toService, side);
    if (keys.fromInitiator !== undefined) addTo(this.#fromInitiator, keys.fromInitiator, side);
  }

  remove(side: Side): void {
    const keys = this.#keys.get(side);
    if (keys === undefined) return;
    this.#keys.delete(side);
    for (const key of keys.tuples) removeFrom(this.#byTuple, key, side);
    if (keys.toService !== undefined) removeFrom(this.#toService, keys.toService, side);
    if (keys.fromInitiator !== undefined) removeFrom(this.#fromInitiator, keys.fromInitiator, side);
  }

  /** The side itself and those that may belong to the same or to neighbouring connections; those near in time if many. */
  relatedTo(side: Side): readonly Side[] {
    const few = this.#fewRelatedTo(side);
    if (few !== undefined) return few;
    const related = new Set([side]);
    for (const one of related) {
      for (const other of this.#neighboursOf(one)) {
        if (related.size >= maxRelatedSides) return [...related];
        related.add(other);
      }
    }
    return [...related];
  }

  /** The usual case: one side, or the two of a connection, and no Service in between. */
  #fewRelatedTo(side: Side): readonly Side[] | undefined {
    const sides = this.#byTuple.get(this.#keys.get(side)!.tuples[0]!)!;
    if (sides.length > 2) return undefined;
    return sides.every((one) => this.#hasOnlyItsTuple(one)) ? sides.slice() : undefined;
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

  *#neighboursOf(side: Side): Generator<Side> {
    const { tuples, toService, fromInitiator } = this.#keys.get(side)!;
    for (const key of tuples) yield* nearestTo(side, this.#byTuple.get(key) ?? []);
    if (toService !== undefined) {
      const [, service] = initiatorFirst(side);
      for (const other of this.#fromInitiator.get(toService) ?? [])
        if (this.isBackend(side.protocol, service, initiatorFirst(other)[1], side.beganUs)) yield other;
    }
    if (fromInitiator !== undefined) {
      const [, responder] = initiatorFirst(side);
      for (const other of this.#toService.get(fromInitiator) ?? [])
        if (this.isBackend(side.protocol, initiatorFirst(other)[1], responder, other.beganUs)) yield other;
    }
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

function nearestTo({ beganUs }: Side, sides: readonly Side[]): readonly Side[] {
  if (sides.length <= maxRelatedSides) return sides;
  return sides.toSorted((a, b) => Math.abs(a.beganUs - beganUs) - Math.abs(b.beganUs - beganUs));
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

function addTo(index: Map<string, Side[]>, key: string, side: Side): void {
  const sides = index.get(key);
  if (sides === undefined) index.set(key, [side]);
  else sides.push(side);
}

function removeFrom(index: Map<string, Side[]>, key: string, side: Side): void {
  const sides = index.get(key);
  if (sides === undefined) return;
  const at = sides.indexOf(side);
  if (at >= 0) sides.splice(at, 1);
  if (sides.length === 0) index.delete(key);
}
