// The objects of all given files and folders of manifests over time, read together as `kubectl -f a -f b` reads them.
import type { CustomResource } from '../../model/custom-resource.ts';
import type { ClusterObject } from '../../model/kubernetes.ts';
import type { Problem } from '../../model/problem.ts';
import type { Counts } from './counts.ts';
import type { Folder } from './files.ts';
import { ManifestFolder } from './folder.ts';
import type { Keep } from './manifest.ts';
import { merge } from './merge.ts';
import { withoutRedundantWorkloads } from './redundant-workloads.ts';
import type { Source } from './source.ts';

/** `writtenUs` is the last write to the object's file. `source` is set if the scanner keeps sources. */
export type PresentObject = { object: ClusterObject; writtenUs: number; source: Source | undefined };

export type Scan = {
  /** By object key. An object whose file was not written is the same instance as in the previous scan. */
  present: ReadonlyMap<string, PresentObject>;
  problems: readonly Problem[];
  /** The `problems` that kept something from being read. */
  unread: readonly Problem[];
  ignored: number;
  otherKinds: Counts;
  customResources: readonly CustomResource[];
  /** The paths without an object, with their number of ignored documents. */
  empty: readonly { path: string; ignored: number }[];
  /** The folders to watch for changes. */
  folders: readonly Folder[];
};

export class ManifestScanner {
  readonly #paths: readonly string[];
  readonly #folders: readonly ManifestFolder[];

  constructor(paths: readonly string[], keep: Keep = 'objects') {
    this.#paths = paths;
    this.#folders = paths.map((path) => new ManifestFolder(path, keep, paths.length > 1 ? 'full' : 'relative'));
  }

  /** If several paths define an object, the last definition counts. Throws a ProblemError if a path never existed. */
  async scan(): Promise<Scan> {
    const scans = [];
    for (const folder of this.#folders) scans.push(await folder.scan());
    const writtenUs = new Map<ClusterObject, number>();
    for (const { manifests } of scans)
      for (const { manifest, writtenUs: us } of manifests)
        for (const { object } of manifest.entries) writtenUs.set(object, us);
    const merged = merge(
      scans.flatMap(({ manifests }) => manifests.map(({ manifest }) => manifest)),
      { problems: scans.flatMap(({ problems }) => problems), unread: scans.flatMap(({ unread }) => unread) },
    );
    const present = new Map<string, PresentObject>();
    for (const [key, { object, source }] of withoutRedundantWorkloads(merged.entries)) {
      present.set(key, { object, writtenUs: writtenUs.get(object)!, source });
    }
    const { problems, unread, ignored, otherKinds, customResources } = merged;
    const empty = scans.flatMap(({ manifests, unread: general }, index) => {
      const isEmpty = general.length === 0 && manifests.every(({ manifest }) => manifest.entries.length === 0);
      const count = manifests.reduce((sum, { manifest }) => sum + manifest.ignored, 0);
      return isEmpty && !manifests.some(({ manifest }) => manifest.unread.length > 0)
        ? [{ path: this.#paths[index]!, ignored: count }]
        : [];
    });
    const folders = scans.flatMap((scan) => scan.folders);
    return { present, problems, unread, ignored, otherKinds, customResources, empty, folders };
  }
}
