// The cluster's objects from a file or a folder of manifests, as they are now.
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import type { Counts } from './counts.ts';
import { nothingToRead } from './errors.ts';
import { ManifestFolder, type Scan } from './folder.ts';
import { stdinPath } from './manifest.ts';
import type { Source } from './source.ts';

/**
 * `unread` are those of `problems` by which something was left out: a file, a document, a chart's templates, or an object
 * whose doubt no verdict shows; and that there is nothing at all, as where the path is a wrong one. `passedOver` counts documents and list items that are no kind of ours, `otherKinds` those
 * of them that are objects of Kubernetes, by kind.
 */
export type Manifests = {
  objects: ClusterObject[];
  problems: Problem[];
  unread: Problem[];
  passedOver: number;
  otherKinds: Counts;
};

/**
 * Reads .yaml, .yml and .json files, folders with all that is in them (less what is hidden, i.e. begins with a dot), and
 * stdin where the path is `-`.
 * Throws a ProblemError where there is no `path`.
 */
export async function readManifests(path: string): Promise<Manifests> {
  const scan = await new ManifestFolder(onDisk(path)).scan();
  return { objects: Array.from(scan.present.values(), ({ object }) => object), ...toldOf(path, scan) };
}

/** As `readManifests`, and each object as it was written. */
export async function readSources(path: string): Promise<Manifests & { sources: Map<ClusterObject, Source> }> {
  const scan = await new ManifestFolder(onDisk(path), 'sources').scan();
  const sources = new Map<ClusterObject, Source>();
  for (const { object, source } of scan.present.values()) if (source !== undefined) sources.set(object, source);
  return { objects: [...sources.keys()], ...toldOf(path, scan), sources };
}

function onDisk(path: string): string {
  return path === '-' ? stdinPath : path;
}

function toldOf(path: string, scan: Scan): Omit<Manifests, 'objects'> {
  const { problems, unread, passedOver, otherKinds } = scan;
  const nothing = scan.present.size === 0 && unread.length === 0 ? [nothingToRead(path, passedOver)] : [];
  return { problems: [...problems, ...nothing], unread: [...unread, ...nothing], passedOver, otherKinds };
}
