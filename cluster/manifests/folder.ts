// The objects of a folder of manifests over time. Each scan reads only the files written since the last scan.
import { type ClusterObject, objectKey } from '../../model/kubernetes.ts';
import { type Problem, ProblemError } from '../../model/problem.ts';
import { chartFolders, type FileRole, roleOf } from './charts.ts';
import type { Counts } from './counts.ts';
import { type Folder, listFiles, type ManifestFile } from './files.ts';
import { type Keep, type Manifest, readManifestFile } from './manifest.ts';
import { merge } from './merge.ts';
import { withoutRedundantWorkloads } from './redundant-workloads.ts';
import type { Source } from './source.ts';
import { withoutUnrendered } from './unrendered.ts';

/** `writtenUs` is the last write to the object's file. `source` is set if the folder keeps sources. */
export type PresentObject = { object: ClusterObject; writtenUs: number; source: Source | undefined };

export type Scan = {
  /** By object key. An object whose file was not written is the same instance as in the previous scan. */
  present: ReadonlyMap<string, PresentObject>;
  problems: readonly Problem[];
  /** The `problems` that kept something from being read. */
  unread: readonly Problem[];
  ignored: number;
  otherKinds: Counts;
  /** The folders to watch for changes. */
  folders: readonly Folder[];
};

type ReadFile = { stamp: string; role: FileRole; writtenUs: number; manifest: Manifest };

/** How many files are read at the same time. */
const maxConcurrentReads = 32;

export class ManifestFolder {
  readonly #path: string;
  readonly #keep: Keep;
  #files = new Map<string, ReadFile>();
  #folders: readonly Folder[] = [];

  constructor(path: string, keep: Keep = 'objects') {
    this.#path = path;
    this.#keep = keep;
  }

  /**
   * A file that cannot be read, or not completely, keeps its former objects, since an editor may be writing it. All files
   * keep their objects if the path itself is gone. Throws a ProblemError if the path never existed.
   */
  async scan(): Promise<Scan> {
    const { files, folders, unreadable, problems } = await listFiles(this.#path);
    const pathMissing = files.length === 0 && folders.length === 0;
    if (pathMissing && this.#folders.length === 0) throw new ProblemError(...problems);
    if (!pathMissing) {
      this.#files = await this.#readAll(files, unreadable);
      this.#folders = folders;
    }
    return this.#result(problems);
  }

  async #readAll(files: readonly ManifestFile[], unreadable: readonly string[]): Promise<Map<string, ReadFile>> {
    const all = new Map<string, ReadFile>();
    const charts = chartFolders(files.map((file) => file.name));
    for (let first = 0; first < files.length; first += maxConcurrentReads) {
      const batch = files.slice(first, first + maxConcurrentReads);
      const read = await Promise.all(batch.map((file) => this.#read(file, roleOf(file.name, charts))));
      for (const [index, file] of batch.entries()) all.set(file.name, read[index]!);
    }
    for (const [name, file] of this.#files) {
      if (unreadable.some((path) => name === path || name.startsWith(`${path}/`))) all.set(name, file);
    }
    return all;
  }

  async #read(file: ManifestFile, role: FileRole): Promise<ReadFile> {
    const former = this.#files.get(file.name);
    if (former?.stamp === file.stamp && former.role === role) return former;
    const manifest = await readManifestFile(file, this.#keep, role);
    const kept = manifest.whole || former === undefined ? manifest : withFormer(manifest, former.manifest);
    return { stamp: file.stamp, role, writtenUs: file.modifiedUs, manifest: kept };
  }

  #result(problems: readonly Problem[]): Scan {
    const files = [...this.#files.values()];
    const writtenUs = new Map<ClusterObject, number>();
    for (const file of files) for (const { object } of file.manifest.entries) writtenUs.set(object, file.writtenUs);
    const rendered = withoutUnrendered(new Map(Array.from(this.#files, ([name, { manifest }]) => [name, manifest])));
    const merged = merge(rendered.manifests, {
      problems: [...problems, ...rendered.problems],
      unread: [...problems, ...rendered.unread],
    });
    const present = new Map<string, PresentObject>();
    for (const [key, { object, source }] of withoutRedundantWorkloads(merged.entries)) {
      present.set(key, { object, writtenUs: writtenUs.get(object)!, source });
    }
    const { problems: all, unread, ignored, otherKinds } = merged;
    return { present, problems: all, unread, ignored, otherKinds, folders: this.#folders };
  }
}

/** Adds the former objects that an incompletely written file lacks. */
function withFormer(manifest: Manifest, former: Manifest): Manifest {
  const keys = new Set(manifest.entries.map(({ object }) => objectKey(object)));
  const kept = former.entries.filter(({ object }) => !keys.has(objectKey(object)));
  return { ...manifest, entries: [...manifest.entries, ...kept] };
}
