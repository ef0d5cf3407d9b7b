// A connection of the join as it is stored, so that the collector continues with its counters after a restart, and with the
// sides that were one connection: an end of its Service may not exist any more.
import type { Initiator } from './initiator.ts';
import { tupleKey } from './keys.ts';
import type { Group } from './pairing.ts';
import { cloneCounters, type Side } from './side.ts';
import { strandOf } from './strand.ts';

/** JSON. `parts`: only if connections share the side. */
export type StoredSide = Omit<Side, 'parts' | 'restoredUntilUs'> & Partial<Pick<Side, 'parts'>>;

/** How many of the sides the part has, in their order; null: without a limit. */
type StoredPart = { sides: number; fromUs: number | null; untilUs: number | null };

/** JSON. */
export type StoredGroup = Omit<Group, 'parts'> & {
  parts: readonly StoredPart[];
  certain: boolean;
  /** For each side, whether its near end is the initiator. */
  isNear: readonly boolean[];
  contested: boolean;
  updatedUs: number;
};

export type StoredJoin = { sides: readonly StoredSide[]; group: StoredGroup };

/** What a store has of a connection. `open`: it is evaluated again when more is known. */
export type RestoredJoin = { id: string; sides: readonly unknown[]; group: unknown; open: boolean };

/** The sides of a connection, and how they are one. */
type JoinedSides = { group: Group; initiator: Initiator; contested: boolean; updatedUs: number };

export function storedJoinOf({ group, initiator, contested, updatedUs }: JoinedSides): StoredJoin {
  const { parts, ...flags } = group;
  const sides = parts.flatMap(({ strand }) => strand.sides);
  return {
    sides: parts.flatMap(({ strand, fromUs, untilUs }) => {
      const isShared = Number.isFinite(fromUs) || Number.isFinite(untilUs);
      return strand.sides.map((side) => storedSideOf(side, isShared));
    }),
    group: {
      ...flags,
      parts: parts.map(({ strand, fromUs, untilUs }) => ({
        sides: strand.sides.length,
        fromUs: limitOf(fromUs),
        untilUs: limitOf(untilUs),
      })),
      certain: initiator.certain,
      isNear: sides.map((side) => initiator.isNear(side)),
      contested,
      updatedUs,
    },
  };
}

function storedSideOf(side: Side, isShared: boolean): StoredSide {
  const { parts, restoredUntilUs: _, ...stored } = side;
  return { ...stored, total: cloneCounters(side.total), ...(isShared && { parts: parts?.map(cloneCounters) }) };
}

function limitOf(us: number): number | null {
  return Number.isFinite(us) ? us : null;
}

/** Undefined if an older version stored something else. Records that the side contains already are then ignored. */
export function restoredSide(stored: unknown): Side | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  const { near, far, total, agentLastUs } = stored as Partial<StoredSide>;
  if (near === undefined || far === undefined || total?.near === undefined || agentLastUs === undefined)
    return undefined;
  // JSON has no undefined.
  const none = { isn: undefined, translation: undefined, ownsNearAddress: undefined, parts: undefined };
  return { ...none, ...(stored as StoredSide), restoredUntilUs: agentLastUs };
}

/** The group that these sides were; undefined if an older version stored none, or something else. */
export function restoredGroup(stored: unknown, sides: readonly Side[]): JoinedSides | undefined {
  if (!isStoredGroup(stored)) return undefined;
  const { parts, certain, isNear, contested, updatedUs, ...flags } = stored;
  if (parts.reduce((sum, part) => sum + part.sides, 0) !== sides.length) return undefined;
  let taken = 0;
  const group: Group = {
    ...flags,
    parts: parts.map(({ sides: count, fromUs, untilUs }) => {
      taken += count;
      return {
        strand: strandOf(sides.slice(taken - count, taken)),
        fromUs: fromUs ?? Number.NEGATIVE_INFINITY,
        untilUs: untilUs ?? Number.POSITIVE_INFINITY,
      };
    }),
  };
  const near = new Set(sides.filter((_, index) => isNear[index]));
  return { group, initiator: { certain, isNear: (side) => near.has(side) }, contested, updatedUs };
}

function isStoredGroup(stored: unknown): stored is StoredGroup {
  if (typeof stored !== 'object' || stored === null) return false;
  const group = stored as Partial<StoredGroup>;
  const { certain, contested, sequenceRewritten, mayBeOfService, senderAmbiguous } = group;
  const flags = [certain, contested, sequenceRewritten, mayBeOfService, senderAmbiguous];
  return (
    flags.every((flag) => typeof flag === 'boolean') &&
    typeof group.updatedUs === 'number' &&
    Array.isArray(group.isNear) &&
    Array.isArray(group.parts) &&
    group.parts.every(isStoredPart)
  );
}

/** A part has at least one side. */
function isStoredPart(stored: unknown): stored is StoredPart {
  if (typeof stored !== 'object' || stored === null) return false;
  const { sides, fromUs, untilUs } = stored as Partial<StoredPart>;
  const isLimit = (us: unknown) => us === null || typeof us === 'number';
  return Number.isInteger(sides) && sides! > 0 && isLimit(fromUs) && isLimit(untilUs);
}

/** One copy of each side. Two connections may share a side; the copy that was stored last has all records. */
export class DistinctSides {
  readonly #latest = new Map<string, Side>();

  add(side: Side): void {
    const key = sideKey(side);
    const known = this.#latest.get(key);
    if (known === undefined || known.agentLastUs < side.agentLastUs) this.#latest.set(key, side);
  }

  latestOf(side: Side): Side {
    return this.#latest.get(sideKey(side)) ?? side;
  }

  /** Whether a copy of the side has its last record. */
  contains(side: Side): boolean {
    if (this.#latest.size === 0) return false;
    const known = this.#latest.get(sideKey(side));
    return known !== undefined && known.agentLastUs >= side.agentLastUs;
  }

  clear(): void {
    this.#latest.clear();
  }

  get all(): Side[] {
    return [...this.#latest.values()];
  }
}

function sideKey({ protocol, node, interfaceIndex, near, far, agentBeganUs }: Side): string {
  const tuple = { initiator: near.address, initiatorPort: near.port, responder: far.address, responderPort: far.port };
  return `${tupleKey(protocol, tuple)} ${node} ${interfaceIndex} ${agentBeganUs}`;
}
