// The sides with one key. They are few, or a crowd: a sender may reuse its ports without end, so a crowd is indexed by the
// initial sequence number, and its other sides are never compared.
import type { Side } from './side.ts';

/** With more sides, they are a crowd until all of them are forgotten. */
export const maxFewSides = 64;
/** In a crowd, a side is compared with fewer: each may be in several of its connections. */
export const maxComparedInCrowd = 8;

type Placed = { side: Side; atUs: number };
type Crowd = {
  byIdentity: Map<string, Side>;
  /** In the order of time. */
  byIsn: Map<number | undefined, Placed[]>;
  places: Map<Side, { isn: number | undefined; atUs: number }>;
};

export class SameEnds {
  #few: Side[] = [];
  #crowd: Crowd | undefined;

  get size(): number {
    return this.#crowd?.places.size ?? this.#few.length;
  }

  get isCrowd(): boolean {
    return this.#crowd !== undefined;
  }

  /** All sides, unless they are a crowd. */
  get few(): readonly Side[] {
    return this.#few;
  }

  find(node: string, interfaceIndex: number, agentBeganUs: number): Side | undefined {
    if (this.#crowd !== undefined) return this.#crowd.byIdentity.get(identity(node, interfaceIndex, agentBeganUs));
    return this.#few.find(
      (side) => side.agentBeganUs === agentBeganUs && side.interfaceIndex === interfaceIndex && side.node === node,
    );
  }

  /** Returns all sides if they became a crowd. */
  add(side: Side): readonly Side[] {
    if (this.#crowd !== undefined) {
      place(this.#crowd, side);
      return [];
    }
    this.#few.push(side);
    if (this.#few.length <= maxFewSides) return [];
    const sides = this.#few;
    this.#crowd = { byIdentity: new Map(), byIsn: new Map(), places: new Map() };
    for (const one of sides) place(this.#crowd, one);
    this.#few = [];
    return sides;
  }

  remove(side: Side): void {
    if (this.#crowd !== undefined) {
      unplace(this.#crowd, side);
      return;
    }
    const at = this.#few.indexOf(side);
    if (at >= 0) this.#few.splice(at, 1);
  }

  /** Sides with the same initial sequence number, at most `maxComparedInCrowd`: those nearest in time, the nearest first. */
  nearestTo({ isn, beganUs }: Side): { sides: readonly Side[]; isWhole: boolean } {
    if (this.#crowd === undefined) return { sides: this.#few.filter((one) => one.isn === isn), isWhole: true };
    const all = this.#crowd.byIsn.get(isn) ?? [];
    let after = positionOf(all, beganUs);
    let before = after - 1;
    const sides: Side[] = [];
    while (sides.length < maxComparedInCrowd && (before >= 0 || after < all.length)) {
      const beforeUs = before >= 0 ? beganUs - all[before]!.atUs : Number.POSITIVE_INFINITY;
      const afterUs = after < all.length ? all[after]!.atUs - beganUs : Number.POSITIVE_INFINITY;
      sides.push(beforeUs < afterUs ? all[before--]!.side : all[after++]!.side);
    }
    return { sides, isWhole: all.length <= maxComparedInCrowd };
  }
}

function place({ byIdentity, byIsn, places }: Crowd, side: Side): void {
  const key = identityOf(side);
  if (!byIdentity.has(key)) byIdentity.set(key, side);
  const { isn, beganUs: atUs } = side;
  places.set(side, { isn, atUs });
  const sides = byIsn.get(isn);
  if (sides === undefined) byIsn.set(isn, [{ side, atUs }]);
  else sides.splice(positionOf(sides, atUs), 0, { side, atUs });
}

function unplace({ byIdentity, byIsn, places }: Crowd, side: Side): void {
  const known = places.get(side);
  if (known === undefined) return;
  places.delete(side);
  const key = identityOf(side);
  if (byIdentity.get(key) === side) byIdentity.delete(key);
  const sides = byIsn.get(known.isn)!;
  let at = positionOf(sides, known.atUs);
  while (sides[at]!.side !== side) at += 1;
  sides.splice(at, 1);
  if (sides.length === 0) byIsn.delete(known.isn);
}

/** The first position that is not before that time. */
function positionOf(sides: readonly Placed[], us: number): number {
  let [low, high] = [0, sides.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sides[middle]!.atUs < us) low = middle + 1;
    else high = middle;
  }
  return low;
}

function identityOf({ node, interfaceIndex, agentBeganUs }: Side): string {
  return identity(node, interfaceIndex, agentBeganUs);
}

function identity(node: string, interfaceIndex: number, agentBeganUs: number): string {
  return `${node} ${interfaceIndex} ${agentBeganUs}`;
}
