// ReplicaSets, Jobs and the like that another object made: what a folder needs of them. Where their owner is there, its
// own template says what they are; where pods of it are there, these do; else they stand for it.
import type { ClusterObject, Workload, WorkloadRef } from '../../model/kubernetes.ts';
import type { Entry } from './manifest.ts';

/** Less what is owned and not needed. Of several that stand for one owner, those that want pods. */
export function withoutNeedless(entries: ReadonlyMap<string, Entry>): ReadonlyMap<string, Entry> {
  const owned = [...entries.values()].flatMap(({ object }) => (isOwned(object) ? [object] : []));
  if (owned.length === 0) return entries;
  const present = new Set(Array.from(entries.values(), ({ object }) => ownerThere(object)));
  const wanted = new Set(owned.filter(({ owned }) => !owned.retired).map(ownerOf));
  const needed = (one: OwnedWorkload): boolean => {
    const owner = ownerOf(one);
    const own = keyOf(one.namespace, { kind: one.owned.kind, name: one.name });
    if (present.has(owner) || present.has(own)) return false;
    return !one.owned.retired || !wanted.has(owner);
  };
  return new Map([...entries].filter(([, { object }]) => !isOwned(object) || needed(object)));
}

type OwnedWorkload = Workload & { owned: object };

function isOwned(object: ClusterObject): object is OwnedWorkload {
  return object.kind === 'Workload' && object.owned !== undefined;
}

function ownerOf({ namespace, workload }: Workload): string {
  return keyOf(namespace, workload);
}

/** Whose template, or of whose pods one, the object is. */
function ownerThere(object: ClusterObject): string | undefined {
  if (object.kind === 'Workload') return object.owned === undefined ? ownerOf(object) : undefined;
  return object.kind === 'Pod' && object.endedUs === 0 ? keyOf(object.namespace, object.workload) : undefined;
}

function keyOf(namespace: string, { kind, name }: WorkloadRef): string {
  return `${kind}/${namespace}/${name}`;
}
