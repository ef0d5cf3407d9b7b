// The cluster's objects from a file or a folder of manifests, as they are now.
import type { ClusterObject } from '../../model/kubernetes.ts';
import { objectKey } from '../../model/kubernetes.ts';
import { type Problem, ProblemError } from '../../model/problem.ts';
import { duplicateObject } from '../errors.ts';
import { listFiles } from './files.ts';
import { type Manifest, readManifestFile } from './manifest.ts';

export type Manifests = { objects: ClusterObject[]; problems: Problem[]; passedOver: number };

/** Files are read at the same time, so many. */
const filesAtOnce = 32;

/**
 * Reads .yaml, .yml and .json files, folders with all that is in them (less what is hidden, i.e. begins with a dot).
 * `passedOver` counts documents and list items that are no kind of ours. Throws a ProblemError where there is no `path`.
 */
export async function readManifests(path: string): Promise<Manifests> {
  const { files, problems } = await listFiles(path);
  if (files.length === 0 && problems.length > 0) throw new ProblemError(...problems);
  const manifests: Manifest[] = [];
  for (let first = 0; first < files.length; first += filesAtOnce) {
    manifests.push(...(await Promise.all(files.slice(first, first + filesAtOnce).map(readManifestFile))));
  }
  return merge(manifests, problems);
}

/** The same object twice is a problem; the last one counts. */
export function merge(manifests: Iterable<Manifest>, problems: readonly Problem[] = []): Manifests {
  const merged = new Map<string, { object: ClusterObject; place: string }>();
  const all = [...problems];
  let passedOver = 0;
  for (const manifest of manifests) {
    all.push(...manifest.problems);
    passedOver += manifest.passedOver;
    for (const entry of manifest.entries) {
      const key = objectKey(entry.object);
      const former = merged.get(key);
      if (former !== undefined) all.push(duplicateObject(`${titleOf(entry.object)} (${entry.place})`, former.place));
      merged.set(key, entry);
    }
  }
  return { objects: Array.from(merged.values(), (entry) => entry.object), problems: all, passedOver };
}

function titleOf(object: ClusterObject): string {
  const kind = object.kind === 'Workload' ? object.workload.kind : object.kind;
  return object.namespace === '' ? `${kind} ${object.name}` : `${kind} ${object.namespace}/${object.name}`;
}
