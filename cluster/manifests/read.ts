// Reads the cluster's objects from files and folders of manifests, once.
import { realpath } from 'node:fs/promises';
import type { CustomResource } from '../../model/custom-resource.ts';
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import { stdinPath } from '../../model/stdin.ts';
import type { Counts } from './counts.ts';
import { nothingToRead } from './errors.ts';
import { stdinDevice } from './manifest.ts';
import { ManifestScanner, type Scan } from './scanner.ts';
import type { Source } from './source.ts';

/**
 * `unread` are the `problems` that kept something from being read: a file, a document, a chart's templates, or an object
 * that no verdict shows as unknown. Paths without any object are one of them too. `ignored` counts documents and list
 * items of kinds that Waybill does not use; `otherKinds` counts the Kubernetes objects among them by kind, and
 * `customResources` are those of CustomResourceDefinitions.
 */
export type Manifests = {
  objects: ClusterObject[];
  problems: Problem[];
  unread: Problem[];
  ignored: number;
  otherKinds: Counts;
  customResources: readonly CustomResource[];
};

/** One or several files and folders; `-` is stdin. */
export type Paths = string | readonly string[];

export function pathList(paths: Paths): readonly string[] {
  return typeof paths === 'string' ? [paths] : paths;
}

/**
 * Reads .yaml, .yml and .json files, folders with their subfolders but without hidden files, and stdin if a path is `-`.
 * Several paths are read together: the last definition of an object counts. Throws a ProblemError if a path does not exist.
 */
export async function readManifests(paths: Paths): Promise<Manifests> {
  const scan = await new ManifestScanner(await onDisk(paths)).scan();
  return { objects: Array.from(scan.present.values(), ({ object }) => object), ...summaryOf(scan) };
}

/** Like `readManifests`, with the written form of each object that was read. */
export async function readSources(paths: Paths): Promise<Manifests & { sources: Map<ClusterObject, Source> }> {
  const scan = await new ManifestScanner(await onDisk(paths), 'sources').scan();
  const sources = new Map<ClusterObject, Source>();
  const objects = Array.from(scan.present.values(), ({ object, source }) => {
    if (source !== undefined) sources.set(object, source);
    return object;
  });
  return { objects, ...summaryOf(scan), sources };
}

/** A path that is given several times is read once, at its last place: the last definition of an object counts. */
async function onDisk(paths: Paths): Promise<string[]> {
  const list = pathList(paths).map((path) => (path === stdinPath ? stdinDevice : path));
  // A path that does not exist is a problem when it is read.
  const real = await Promise.all(list.map((path) => realpath(path).catch(() => path)));
  return list.filter((_, index) => real.lastIndexOf(real[index]!) === index);
}

/** One of several paths without objects is only a warning. */
function summaryOf(scan: Scan): Omit<Manifests, 'objects'> {
  const { problems, unread, ignored, otherKinds, customResources } = scan;
  const empty = scan.empty.map(({ path, ignored: count }) =>
    nothingToRead(path === stdinDevice ? stdinPath : path, count),
  );
  const nothing = scan.present.size === 0 && unread.length === 0;
  return {
    problems: [...problems, ...empty],
    unread: [...unread, ...(nothing ? empty : [])],
    ignored,
    otherKinds,
    customResources,
  };
}
