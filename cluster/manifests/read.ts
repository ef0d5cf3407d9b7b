// Reads the cluster's objects from a file or a folder of manifests, once.
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import type { Counts } from './counts.ts';
import { nothingToRead } from './errors.ts';
import { ManifestFolder, type Scan } from './folder.ts';
import { stdinPath } from './manifest.ts';
import type { Source } from './source.ts';

/**
 * `unread` are the `problems` that kept something from being read: a file, a document, a chart's templates, or an object
 * that no verdict shows as unknown. A path without any object is one of them too. `ignored` counts documents and list
 * items of kinds that Waybill does not use; `otherKinds` counts the Kubernetes objects among them by kind.
 */
export type Manifests = {
  objects: ClusterObject[];
  problems: Problem[];
  unread: Problem[];
  ignored: number;
  otherKinds: Counts;
};

/**
 * Reads .yaml, .yml and .json files, folders with their subfolders but without hidden files, and stdin if the path is `-`.
 * Throws a ProblemError if the path does not exist.
 */
export async function readManifests(path: string): Promise<Manifests> {
  const scan = await new ManifestFolder(onDisk(path)).scan();
  return { objects: Array.from(scan.present.values(), ({ object }) => object), ...summaryOf(path, scan) };
}

/** Like `readManifests`, with the written form of each object. */
export async function readSources(path: string): Promise<Manifests & { sources: Map<ClusterObject, Source> }> {
  const scan = await new ManifestFolder(onDisk(path), 'sources').scan();
  const sources = new Map<ClusterObject, Source>();
  for (const { object, source } of scan.present.values()) if (source !== undefined) sources.set(object, source);
  return { objects: [...sources.keys()], ...summaryOf(path, scan), sources };
}

function onDisk(path: string): string {
  return path === '-' ? stdinPath : path;
}

function summaryOf(path: string, scan: Scan): Omit<Manifests, 'objects'> {
  const { problems, unread, ignored, otherKinds } = scan;
  const empty = scan.present.size === 0 && unread.length === 0 ? [nothingToRead(path, ignored)] : [];
  return { problems: [...problems, ...empty], unread: [...unread, ...empty], ignored, otherKinds };
}
