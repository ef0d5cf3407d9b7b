// The cluster's objects from a file or a folder of manifests, as they are now.
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { ManifestFolder } from './folder.ts';
import type { Source } from './source.ts';

export type Manifests = { objects: ClusterObject[]; problems: Problem[]; passedOver: number };

/**
 * Reads .yaml, .yml and .json files, folders with all that is in them (less what is hidden, i.e. begins with a dot).
 * `passedOver` counts documents and list items that are no kind of ours. Throws a ProblemError where there is no `path`.
 */
export async function readManifests(path: string): Promise<Manifests> {
  const { present, problems, passedOver } = await new ManifestFolder(path).scan();
  return { objects: Array.from(present.values(), ({ object }) => object), problems: [...problems], passedOver };
}

/** As `readManifests`, and each object as it was written. */
export async function readSources(path: string): Promise<Manifests & { sources: Map<ClusterObject, Source> }> {
  const { present, problems, passedOver } = await new ManifestFolder(path, 'sources').scan();
  const sources = new Map<ClusterObject, Source>();
  for (const { object, source } of present.values()) if (source !== undefined) sources.set(object, source);
  return { objects: [...sources.keys()], problems: [...problems], passedOver, sources };
}
