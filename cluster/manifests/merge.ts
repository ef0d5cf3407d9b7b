// The objects of several files as one set: the same object twice is a problem, and the last one counts.
import { type ClusterObject, objectKey, writtenKind } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { type Counts, count } from './counts.ts';
import { duplicateObject } from './errors.ts';
import type { Entry, Manifest } from './manifest.ts';

export type Merged = {
  entries: ReadonlyMap<string, Entry>;
  problems: Problem[];
  unread: Problem[];
  passedOver: number;
  otherKinds: Counts;
};

/** `more` are problems of no one file; they come first. Entries are by object key. */
export function merge(manifests: Iterable<Manifest>, more: Pick<Manifest, 'problems' | 'unread'>): Merged {
  const entries = new Map<string, Entry>();
  const all = [...more.problems];
  const unread = [...more.unread];
  let passedOver = 0;
  const otherKinds = new Map<string, number>();
  for (const manifest of manifests) {
    for (const problem of manifest.problems) all.push(problem);
    for (const problem of manifest.unread) unread.push(problem);
    passedOver += manifest.passedOver;
    for (const [kind, some] of manifest.otherKinds) count(otherKinds, kind, some);
    for (const entry of manifest.entries) {
      const key = objectKey(entry.object);
      const former = entries.get(key);
      if (former !== undefined) all.push(duplicateObject(`${titleOf(entry.object)} (${entry.place})`, former.place));
      entries.set(key, entry);
    }
  }
  return { entries, problems: all, unread, passedOver, otherKinds };
}

function titleOf(object: ClusterObject): string {
  const kind = writtenKind(object);
  return object.namespace === '' ? `${kind} ${object.name}` : `${kind} ${object.namespace}/${object.name}`;
}
