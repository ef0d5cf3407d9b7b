// The cluster's objects from a file or a folder of manifests, now and with every change of it.
import type { ClusterEvent } from '../../model/kubernetes.ts';
import type { Clock } from '../clock.ts';
import { KnownObjects } from '../known-objects.ts';
import type { ClusterSource } from '../source.ts';
import { Changes } from './changes.ts';
import { cannotWatchFolder } from './errors.ts';
import { ManifestFolder } from './folder.ts';
import { FolderWatch } from './folder-watch.ts';

/** Network file systems tell nobody of changes, so that one looks all the same. */
const rescanMs = 30_000;

/** Tells each broken file and object as a problem, once, and goes on with the rest. */
export function manifestSource(path: string, clock: Clock): ClusterSource {
  let running: Running | undefined;
  return {
    async start(receive) {
      running = new Running(path, clock, receive);
      await running.start();
    },
    async stop() {
      await running?.stop();
    },
  };
}

class Running {
  readonly #clock: Clock;
  readonly #receive: (event: ClusterEvent) => void;
  readonly #folder: ManifestFolder;
  readonly #changes: Changes;
  readonly #watch: FolderWatch;
  readonly #toldReasons = new Set<string>();
  #scanning: Promise<void> = Promise.resolve();
  #scanWaits = false;
  #cancelRescan: (() => void) | undefined;
  #stopped = false;

  constructor(path: string, clock: Clock, receive: (event: ClusterEvent) => void) {
    this.#clock = clock;
    this.#receive = (event) => {
      if (!this.#stopped) receive(event);
    };
    this.#folder = new ManifestFolder(path);
    this.#changes = new Changes(new KnownObjects(this.#receive), this.#receive);
    this.#watch = new FolderWatch({
      clock,
      onChange: () => this.#scanAgain(),
      onFailure: (folder, error) => this.#cannotWatch(folder, error),
    });
  }

  async start(): Promise<void> {
    await this.#scan();
    // What changed before the watches stood was told to nobody.
    await this.#scan();
    this.#receive({ type: 'synced', atUs: this.#clock.nowUs() });
    this.#rescanLater();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRescan?.();
    this.#watch.close();
    await this.#scanning;
  }

  async #scan(): Promise<void> {
    const scan = await this.#folder.scan();
    if (this.#stopped) return;
    this.#changes.tell(scan, this.#clock.nowUs());
    this.#watch.follow(scan.folders);
  }

  /** One scan at a time; whatever changes during one is found by one more. */
  #scanAgain(): void {
    if (this.#scanWaits || this.#stopped) return;
    this.#scanWaits = true;
    this.#scanning = this.#scanning.then(async () => {
      this.#scanWaits = false;
      if (!this.#stopped) await this.#scan();
    });
  }

  #rescanLater(): void {
    if (this.#stopped) return;
    this.#cancelRescan = this.#clock.after(rescanMs, () => {
      this.#scanAgain();
      this.#rescanLater();
    });
  }

  /** Each reason is told once: where the system has no more watches, a thousand folders may lack one. */
  #cannotWatch(folder: string, error: unknown): void {
    const problem = cannotWatchFolder(folder, error, rescanMs);
    if (this.#toldReasons.has(problem.mend)) return;
    this.#toldReasons.add(problem.mend);
    this.#receive({ type: 'problem', problem, atUs: this.#clock.nowUs() });
  }
}
