// The objects of a folder of manifests over time: each scan reads only the files that were written since the last one.
import { type ClusterObject, objectKey } from '../../model/kubernetes.ts';
import { type Problem, ProblemError } from '../../model/problem.ts';
import { chartsAmong, type Role, roleOf } from './charts.ts';
import type { Counts } from './counts.ts';
import { type Folder, listFiles, type ManifestFile } from './files.ts';
import { type Keep, type Manifest, readManifestFile } from './manifest.ts';
import { merge } from './merge.ts';
import { withoutNeedless } from './owned.ts';
import type { Source } from './source.ts';
import { withoutUnbuilt } from './unbuilt.ts';

/** `writtenUs`: when the file that holds the object was written last. `source` where it was asked for. */
export type Present = { object: ClusterObject; writtenUs: number; source: Source | undefined };

export type Scan = {
  /** By object key. The same object as in the scan before where its file was not written. */
  present: ReadonlyMap<string, Present>;
  problems: readonly Problem[];
  /** Those of `problems` by which something was left out. */
  unread: readonly Problem[];
  passedOver: number;
  otherKinds: Counts;
  /** Folders whose changes would change what is present. */
  folders: readonly Folder[];
};

type Known = { stamp: string; role: Role; writtenUs: number; manifest: Manifest };

/** Files are read at the same time, so many. */
const filesAtOnce = 32;

export class ManifestFolder {
  readonly #path: string;
  readonly #keep: Keep;
  #known = new Map<string, Known>();
  #folders: readonly Folder[] = [];

  constructor(path: string, keep: Keep = 'objects') {
    this.#path = path;
    this.#keep = keep;
  }

  /**
   * A file that cannot be read, wholly or in part, keeps the objects that it had: somebody may be writing it. So do all
   * of them where the path itself is gone. Throws a ProblemError where there never was such a path.
   */
  async scan(): Promise<Scan> {
    const { files, folders, unreadable, problems } = await listFiles(this.#path);
    const nothingThere = files.length === 0 && folders.length === 0;
    if (nothingThere && this.#folders.length === 0) throw new ProblemError(...problems);
    if (!nothingThere) {
      this.#known = await this.#readAll(files, unreadable);
      this.#folders = folders;
    }
    return this.#result(problems);
  }

  async #readAll(files: readonly ManifestFile[], unreadable: readonly string[]): Promise<Map<string, Known>> {
    const all = new Map<string, Known>();
    const charts = chartsAmong(files.map((file) => file.name));
    for (let first = 0; first < files.length; first += filesAtOnce) {
      const some = files.slice(first, first + filesAtOnce);
      const read = await Promise.all(some.map((file) => this.#read(file, roleOf(file.name, charts))));
      for (const [index, file] of some.entries()) all.set(file.name, read[index]!);
    }
    for (const [name, known] of this.#known) {
      if (unreadable.some((path) => name === path || name.startsWith(`${path}/`))) all.set(name, known);
    }
    return all;
  }

  async #read(file: ManifestFile, role: Role): Promise<Known> {
    const former = this.#known.get(file.name);
    if (former?.stamp === file.stamp && former.role === role) return former;
    const manifest = await readManifestFile(file, this.#keep, role);
    const kept = manifest.whole || former === undefined ? manifest : withFormer(manifest, former.manifest);
    return { stamp: file.stamp, role, writtenUs: file.modifiedUs, manifest: kept };
  }

  #result(problems: readonly Problem[]): Scan {
    const files = [...this.#known.values()];
    const writtenUs = new Map<ClusterObject, number>();
    for (const file of files) for (const { object } of file.manifest.entries) writtenUs.set(object, file.writtenUs);
    const built = withoutUnbuilt(new Map(Array.from(this.#known, ([name, { manifest }]) => [name, manifest])));
    const merged = merge(built.manifests, {
      problems: [...problems, ...built.problems],
      unread: [...problems, ...built.unread],
    });
    const present = new Map<string, Present>();
    for (const [key, { object, source }] of withoutNeedless(merged.entries)) {
      present.set(key, { object, writtenUs: writtenUs.get(object)!, source });
    }
    const { problems: all, unread, passedOver, otherKinds } = merged;
    return { present, problems: all, unread, passedOver, otherKinds, folders: this.#folders };
  }
}

/** What a half-written file no longer has, or does not have yet, stays as it was. */
function withFormer(manifest: Manifest, former: Manifest): Manifest {
  const keys = new Set(manifest.entries.map(({ object }) => objectKey(object)));
  const kept = former.entries.filter(({ object }) => !keys.has(objectKey(object)));
  return { ...manifest, entries: [...manifest.entries, ...kept] };
}
