// A side as it is stored with its connection, so that the collector continues with its counters after a restart.
import { tupleKey } from './keys.ts';
import { cloneCounters, type Side } from './side.ts';

/** JSON; without the parts, which are only needed while a pod at the other end may be replaced. */
export type StoredSide = Omit<Side, 'parts' | 'restoredUntilUs'>;

export function storedSideOf(side: Side): StoredSide {
  const { parts: _, restoredUntilUs: __, ...stored } = side;
  return { ...stored, total: cloneCounters(side.total) };
}

/** Undefined if an older version stored something else. Records that the side contains already are then ignored. */
export function restoredSide(stored: unknown): Side | undefined {
  if (typeof stored !== 'object' || stored === null) return undefined;
  const { near, far, total, agentLastUs } = stored as Partial<StoredSide>;
  if (near === undefined || far === undefined || total?.near === undefined || agentLastUs === undefined)
    return undefined;
  // JSON has no undefined.
  const none = { isn: undefined, translation: undefined, ownsNearAddress: undefined };
  return { ...none, ...(stored as StoredSide), parts: undefined, restoredUntilUs: agentLastUs };
}

/** Two connections may share a side; the copy that was stored last has all records. */
export function distinctSides(sides: readonly Side[]): Side[] {
  const latest = new Map<string, Side>();
  for (const side of sides) {
    const { protocol, node, interfaceIndex, near, far, agentBeganUs } = side;
    const tuple = {
      initiator: near.address,
      initiatorPort: near.port,
      responder: far.address,
      responderPort: far.port,
    };
    const key = `${tupleKey(protocol, tuple)} ${node} ${interfaceIndex} ${agentBeganUs}`;
    const known = latest.get(key);
    if (known === undefined || known.agentLastUs < side.agentLastUs) latest.set(key, side);
  }
  return [...latest.values()];
}
