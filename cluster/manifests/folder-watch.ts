// Reports that something in a set of folders changed. The receiver scans the folders to find out what.
import { type FSWatcher, watch } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Folder } from './files.ts';

export type FolderWatchOptions = {
  clock: Clock;
  /** Called once for a burst of changes: after `quietMs` without a change, or `maxBurstMs` after the first. */
  onChange: () => void;
  onFailure: (folder: string, error: unknown) => void;
};

const quietMs = 50;
const maxBurstMs = 2_000;

/** Uses one watch per folder, since a recursive watch of Node on Linux uses one per file. */
export class FolderWatch {
  readonly #options: FolderWatchOptions;
  readonly #watches = new Map<string, { watcher: FSWatcher; id: string }>();
  #burstBeganUs: number | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
  }

  follow(folders: readonly Folder[]): void {
    const wanted = new Map(folders.map(({ path, id }) => [path, id]));
    for (const [path, { id }] of this.#watches) if (wanted.get(path) !== id) this.#drop(path);
    for (const [path, id] of wanted) if (!this.#watches.has(path)) this.#add(path, id);
  }

  close(): void {
    this.#cancel?.();
    for (const folder of this.#watches.keys()) this.#drop(folder);
  }

  #add(folder: string, id: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#changed());
      watcher.on('error', (error) => this.#fail(folder, error));
      this.#watches.set(folder, { watcher, id });
    } catch (error) {
      this.#options.onFailure(folder, error);
    }
  }

  #fail(folder: string, error: unknown): void {
    this.#drop(folder);
    this.#options.onFailure(folder, error);
  }

  #drop(folder: string): void {
    this.#watches.get(folder)?.watcher.close();
    this.#watches.delete(folder);
  }

  #changed(): void {
    const { clock } = this.#options;
    this.#burstBeganUs ??= clock.nowUs();
    const burstLeftMs = maxBurstMs - (clock.nowUs() - this.#burstBeganUs) / 1000;
    this.#cancel?.();
    this.#cancel = clock.after(Math.max(0, Math.min(quietMs, burstLeftMs)), () => {
      this.#burstBeganUs = undefined;
      this.#options.onChange();
    });
  }
}
