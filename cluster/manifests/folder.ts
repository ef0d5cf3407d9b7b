// The manifests below one path over time. Each scan reads only the files written since the last scan.
import { basename, join } from 'node:path';
import { isUnread, objectKey } from '../../model/kubernetes.ts';
import { type Problem, ProblemError } from '../../model/problem.ts';
import { chartFolders, type FileRole, roleOf } from './charts.ts';
import { type Folder, listFiles, type ManifestFile, type Unreadable } from './files.ts';
import { type Keep, type Manifest, readManifestFile, stdinDevice, unreadFile } from './manifest.ts';
import { withoutUnrendered } from './unrendered.ts';

/** `problems` and `unread` belong to no single manifest. `writtenUs`: the last write to the file of a manifest. */
export type FolderScan = {
  manifests: readonly { manifest: Manifest; writtenUs: number }[];
  problems: readonly Problem[];
  unread: readonly Problem[];
  /** The folders to watch for changes. */
  folders: readonly Folder[];
};

type ReadFile = { stamp: string; role: FileRole; writtenUs: number; manifest: Manifest };

/** How many files are read at the same time. */
const maxConcurrentReads = 32;

/** `relative`: problems name a file below the path. `full`: they name it with the path, since there are others. */
export type Titles = 'relative' | 'full';

export class ManifestFolder {
  readonly #path: string;
  readonly #keep: Keep;
  readonly #titles: Titles;
  #files = new Map<string, ReadFile>();
  #unreadable: readonly Unreadable[] = [];
  #folders: readonly Folder[] = [];

  constructor(path: string, keep: Keep, titles: Titles) {
    this.#path = path;
    this.#keep = keep;
    this.#titles = titles;
  }

  /**
   * A file that cannot be read, or not completely, keeps its former objects, since an editor may be writing it. All files
   * keep their objects if the path itself is gone. Throws a ProblemError if the path never existed.
   */
  async scan(): Promise<FolderScan> {
    const { files, folders, unreadable, problems } = await listFiles(this.#path, this.#titleOf);
    const pathMissing = files.length === 0 && folders.length === 0;
    if (pathMissing && this.#folders.length === 0) throw new ProblemError(...problems);
    if (!pathMissing) {
      this.#files = await this.#readAll(files, unreadable);
      this.#unreadable = unreadable;
      this.#folders = folders;
    }
    return this.#result(problems);
  }

  async #readAll(files: readonly ManifestFile[], unreadable: readonly Unreadable[]): Promise<Map<string, ReadFile>> {
    const all = new Map<string, ReadFile>();
    const charts = chartFolders(files.map((file) => file.name));
    for (let first = 0; first < files.length; first += maxConcurrentReads) {
      const batch = files.slice(first, first + maxConcurrentReads);
      const read = await Promise.all(batch.map((file) => this.#read(file, roleOf(file.name, charts))));
      for (const [index, file] of batch.entries()) all.set(file.name, read[index]!);
    }
    for (const [name, file] of this.#files) {
      if (unreadable.some((one) => name === one.name || name.startsWith(`${one.name}/`))) all.set(name, file);
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

  #result(problems: readonly Problem[]): FolderScan {
    const files = [...this.#files.values()];
    const written = new Map(files.map(({ manifest, writtenUs }) => [manifest.entries, writtenUs]));
    const rendered = withoutUnrendered(
      new Map(Array.from(this.#files, ([name, { manifest }]) => [name, manifest])),
      this.#titleOf,
    );
    const unreadable = this.#unreadable.map(({ title, problem }) => unreadFile(title, problem));
    return {
      manifests: [...rendered.manifests, ...unreadable].map((manifest) => {
        return { manifest, writtenUs: written.get(manifest.entries) ?? 0 };
      }),
      problems: [...problems, ...rendered.problems],
      unread: [...problems, ...rendered.unread],
      folders: this.#folders,
    };
  }

  /** `name` is empty for the path itself, if it is a file. */
  readonly #titleOf = (name: string): string => {
    if (name === '') return this.#titles === 'full' && this.#path !== stdinDevice ? this.#path : basename(this.#path);
    return this.#titles === 'full' ? join(this.#path, name) : name;
  };
}

/** Adds the former objects that an incompletely written file lacks, without its former faults. */
function withFormer(manifest: Manifest, former: Manifest): Manifest {
  const keys = new Set(manifest.entries.map(({ object }) => objectKey(object)));
  const kept = former.entries.filter(({ object }) => !keys.has(objectKey(object)) && !isUnread(object));
  return { ...manifest, entries: [...manifest.entries, ...kept] };
}
