// Removes redundant workloads. A workload with an owner, such as a Deployment's ReplicaSet, is redundant if the folder also
// has its owner, or pods of it: these describe the same workload. Otherwise it represents its owner.

import { type ClusterObject, hasEnded, type Workload, type WorkloadRef } from '../../model/kubernetes.ts';
import type { Entry } from './manifest.ts';

/** If several represent one owner, the retired ones are redundant, unless all are retired. */
export function withoutRedundantWorkloads(entries: ReadonlyMap<string, Entry>): ReadonlyMap<string, Entry> {
  const owned = [...entries.values()].flatMap(({ object }) => (isOwned(object) ? [object] : []));
  if (owned.length === 0) return entries;
  const described = new Set(Array.from(entries.values(), ({ object }) => describedWorkload(object)));
  const active = new Set(owned.filter(({ owned }) => !owned.retired).map(ownerOf));
  const needed = (one: OwnedWorkload): boolean => {
    const owner = ownerOf(one);
    const own = keyOf(one.namespace, { kind: one.owned.kind, name: one.name });
    if (described.has(owner) || described.has(own)) return false;
    return !one.owned.retired || !active.has(owner);
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

/** The workload that the object describes: itself if nothing owns it, or the owner of a running pod. */
function describedWorkload(object: ClusterObject): string | undefined {
  if (object.kind === 'Workload') return object.owned === undefined ? ownerOf(object) : undefined;
  return object.kind === 'Pod' && !hasEnded(object) ? keyOf(object.namespace, object.workload) : undefined;
}

function keyOf(namespace: string, { kind, name }: WorkloadRef): string {
  return `${kind}/${namespace}/${name}`;
}
