// Merges the objects of several files. An object that is defined twice is a problem, and the last definition is used.

import type { CustomResource } from '../../model/custom-resource.ts';
import { type ClusterObject, isUnread, manifestKind, objectKey } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { type Counts, count } from './counts.ts';
import { duplicateObject } from './errors.ts';
import type { Entry, Manifest } from './manifest.ts';

export type Merged = {
  entries: ReadonlyMap<string, Entry>;
  problems: Problem[];
  unread: Problem[];
  ignored: number;
  otherKinds: Counts;
  customResources: readonly CustomResource[];
};

/** `general` are problems that belong to no single file; they come first. Entries are by object key. */
export function merge(manifests: Iterable<Manifest>, general: Pick<Manifest, 'problems' | 'unread'>): Merged {
  const entries = new Map<string, Entry>();
  const all = [...general.problems];
  const unread = [...general.unread];
  let ignored = 0;
  const otherKinds = new Map<string, number>();
  const customResources: CustomResource[] = [];
  for (const manifest of manifests) {
    for (const problem of manifest.problems) all.push(problem);
    for (const problem of manifest.unread) unread.push(problem);
    ignored += manifest.ignored;
    for (const resource of manifest.customResources) customResources.push(resource);
    for (const [kind, added] of manifest.otherKinds) count(otherKinds, kind, added);
    for (const entry of manifest.entries) {
      const key = objectKey(entry.object);
      const former = entries.get(key);
      if (former !== undefined && !isUnread(entry.object))
        all.push(duplicateObject(`${titleOf(entry.object)} (${entry.place})`, former.place));
      entries.set(key, entry);
    }
  }
  return { entries, problems: all, unread, ignored, otherKinds, customResources };
}

function titleOf(object: ClusterObject): string {
  const kind = manifestKind(object);
  return object.namespace === '' ? `${kind} ${object.name}` : `${kind} ${object.namespace}/${object.name}`;
}
