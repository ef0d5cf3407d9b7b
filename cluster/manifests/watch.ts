// Reads the cluster's objects from files and folders of manifests, and watches for changes.
import { resolve } from 'node:path';
import { type ClusterEvent, clusterKinds } from '../../model/kubernetes.ts';
import type { FormerObjects, KnownObjects } from '../../model/object-version.ts';
import type { Clock } from '../clock.ts';
import { ObjectCache } from '../object-cache.ts';
import type { ClusterSource } from '../source.ts';
import { ChangeReporter } from './change-reporter.ts';
import { cannotWatchFolder } from './errors.ts';
import { FolderWatch } from './folder-watch.ts';
import { ManifestScanner } from './scanner.ts';

/** Network file systems do not report changes, so the folder is also scanned at this interval. */
const rescanMs = 30_000;

/** Reports each broken file and object once as a problem, and continues with the others. Several paths are read together. */
export function manifestSource(paths: string | readonly string[], clock: Clock): ClusterSource {
  let running: Running | undefined;
  return {
    async start(receive, former) {
      running = new Running([paths].flat(), clock, receive, former);
      await running.start();
    },
    known: () => ({ untilUs: running?.untilUs() ?? {}, versions: {} }),
    async stop() {
      await running?.stop();
    },
  };
}

class Running {
  readonly #clock: Clock;
  readonly #receive: (event: ClusterEvent) => void;
  readonly #scanner: ManifestScanner;
  readonly #reporter: ChangeReporter;
  readonly #watch: FolderWatch;
  readonly #reportedReasons = new Set<string>();
  #scanning: Promise<void> = Promise.resolve();
  #scanPending = false;
  #cancelRescan: (() => void) | undefined;
  #stopped = false;

  constructor(
    paths: readonly string[],
    clock: Clock,
    receive: (event: ClusterEvent) => void,
    former: FormerObjects | undefined,
  ) {
    this.#clock = clock;
    this.#receive = (event) => {
      if (!this.#stopped) receive(event);
    };
    this.#scanner = new ManifestScanner(withoutRepeated(paths));
    const cache = new ObjectCache(this.#receive);
    for (const { object } of former?.objects ?? []) cache.seed(object);
    this.#reporter = new ChangeReporter(cache, this.#receive, former && lastTimeUs(former.untilUs));
    this.#watch = new FolderWatch({
      clock,
      onChange: () => this.#scanAgain(),
      onFailure: (folder, error) => this.#cannotWatch(folder, error),
    });
  }

  async start(): Promise<void> {
    await this.#scan();
    // The watches did not report changes made before they were set up.
    await this.#scan();
    this.#receive({ type: 'synced', atUs: this.#clock.nowUs() });
    this.#rescanLater();
  }

  /** All kinds are read at the same time. */
  untilUs(): KnownObjects['untilUs'] {
    const { lastScanUs } = this.#reporter;
    return lastScanUs === 0 ? {} : Object.fromEntries(clusterKinds.map((kind) => [kind, lastScanUs]));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRescan?.();
    this.#watch.close();
    await this.#scanning;
  }

  async #scan(): Promise<void> {
    const scan = await this.#scanner.scan();
    if (this.#stopped) return;
    this.#reporter.report(scan, this.#clock.nowUs());
    this.#watch.follow(scan.folders);
  }

  /** Runs one scan at a time. A change during a scan leads to one more scan. */
  #scanAgain(): void {
    if (this.#scanPending || this.#stopped) return;
    this.#scanPending = true;
    this.#scanning = this.#scanning.then(async () => {
      this.#scanPending = false;
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

  /** Reports each reason once: without watches left, a thousand folders would report the same. */
  #cannotWatch(folder: string, error: unknown): void {
    const problem = cannotWatchFolder(folder, error, rescanMs);
    if (this.#reportedReasons.has(problem.fix)) return;
    this.#reportedReasons.add(problem.fix);
    this.#receive({ type: 'problem', problem, atUs: this.#clock.nowUs() });
  }
}

function lastTimeUs(untilUs: KnownObjects['untilUs']): number {
  return Math.max(0, ...Object.values(untilUs).filter((time) => time !== undefined));
}

/** Links are not followed, because they may change. */
function withoutRepeated(paths: readonly string[]): string[] {
  const full = paths.map((path) => resolve(path));
  return paths.filter((_, index) => full.lastIndexOf(full[index]!) === index);
}
