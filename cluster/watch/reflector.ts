// Keeps one resource in sync with the API server: lists it, watches it, and lists it again if it may have missed changes.
// A watch can stop delivering without an error, so after a silence a list shows whether it missed a change.
import type { ClusterEvent } from '../../model/kubernetes.ts';
import type { FormerObjects } from '../../model/object-version.ts';
import { type Problem, ProblemError } from '../../model/problem.ts';
import { systemCode } from '../../model/reason.ts';
import { ApiRefusal } from './api-server.ts';
import { backoffMs, jitterMs } from './backoff.ts';
import { apiFailed, apiRefused, apiUnreachable, watchSilent } from './errors.ts';
import { expiredStatuses, ListReader, type ListReaderOptions } from './list-reader.ts';
import { emptyListing, type Listing, ResourceCache } from './resource-cache.ts';
import { selectorOf } from './resources.ts';
import { readWatchEvent, type WatchEvent } from './responses.ts';

export type ReflectorOptions = ListReaderOptions & {
  /** What a former run knew: the first list is compared with it. */
  former?: { untilUs: number; objects: FormerObjects['objects'] };
  random: () => number;
  receive: (event: ClusterEvent) => void;
  /** All existing objects have been reported. */
  onListed: () => void;
  /** Changes after `sinceUs` may be missing, until `onFresh`. */
  onStale: (sinceUs: number) => void;
  onFresh: () => void;
};

const pageTimeoutMs = 60_000;
/** API servers send a bookmark every minute, but those with an old etcd send none. */
const maxSilenceMs = 90_000;
/** After a silence, the list must answer within this time. */
const silenceListTimeoutMs = 10_000;
/** How long a watch has to deliver a change that the list shows. */
const deliveryTimeoutMs = 5_000;
/** Without a watch for this long, the objects count as stale. A watch that is opened earlier delivers what was missed. */
const staleAfterMs = 10_000;
/** The server ends a watch after 1 to 1.5 times this. */
const watchSeconds = 300;
/** A watch that was open for this long succeeded, even without an event. */
const stableWatchUs = 10_000_000;
/** An API server that starts refuses requests for a moment. */
const refusalRetryUs = 60_000_000;
/** Interval of requests for a kind that the API server does not know. */
const absentRetryMs = 30_000;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #cache: ResourceCache;
  readonly #reader: ListReader;
  #resourceVersion = '';
  #mustList = true;
  #listed = false;
  /** Consecutive failures, without a watch that succeeded in between. */
  #failures = 0;
  /** The same for 410, which is answered by a list at once. */
  #expired = 0;
  #refusedSinceUs: number | undefined;
  /** The objects were complete then: the time of the last list, event or bookmark. */
  #knownUntilUs = 0;
  #stale = false;
  #cancelStale: (() => void) | undefined;
  #absent = false;
  #watch: AbortController | undefined;
  #problem: Problem | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#cache = new ResourceCache(options.resource, options.receive);
    this.#reader = new ListReader(options);
    if (options.former === undefined) return;
    this.#cache.seed(options.former.objects);
    this.#knownUntilUs = options.former.untilUs;
  }

  /** Until when the objects are complete, and their versions by key; undefined before the first list. */
  known(): { untilUs: number; versions: ReadonlyMap<string, string> } | undefined {
    return this.#listed ? { untilUs: this.#knownUntilUs, versions: this.#cache.versions } : undefined;
  }

  /** Runs until `signal`. Throws a ProblemError if the first list is refused and retries do not change that. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        let waitMs = 0;
        try {
          if (this.#mustList) await this.#list(signal);
          if (!signal.aborted) waitMs = await this.#follow(signal);
        } catch (error) {
          if (!signal.aborted) waitMs = this.#handleFailure(error);
        }
        if (waitMs > 0) await this.#wait(waitMs, signal);
      }
    } finally {
      this.#cancelStale?.();
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const sentUs = this.#options.clock.nowUs();
    const listing = emptyListing();
    const onItems = (items: readonly unknown[]): void => this.#cache.addTo(listing, items);
    const version = await this.#reader.read(this.#resourceVersion, pageTimeoutMs, onItems, signal);
    if (signal.aborted) return;
    this.#absent = false;
    this.#takeOver(listing, version, sentUs);
  }

  #takeOver(listing: Listing, version: string, sentUs: number): void {
    const isFirst = !this.#listed && this.#options.former === undefined;
    this.#cache.replaceBy(listing, this.#options.clock.nowUs(), isFirst ? undefined : this.#knownUntilUs);
    this.#resourceVersion = version;
    this.#knownUntilUs = sentUs;
    this.#mustList = false;
    this.#listed = true;
    this.#regainView();
    this.#options.onListed();
  }

  /** Returns the wait before the next watch. */
  async #follow(signal: AbortSignal): Promise<number> {
    const { clock, random } = this.#options;
    const watch = new AbortController();
    this.#watch = watch;
    const stopSilenceCheck = this.#checkSilence(watch, signal);
    const sentUs = clock.nowUs();
    let opened = false;
    let broken: unknown;
    try {
      const lines = await this.#open(AbortSignal.any([signal, watch.signal]));
      opened = true;
      this.#regainView();
      for await (const line of lines) this.#handleEvent(readWatchEvent(line));
    } catch (error) {
      if (!watch.signal.aborted) broken = error;
    }
    this.#watch = undefined;
    stopSilenceCheck();
    if (signal.aborted) return 0;
    const succeeded = opened && !watch.signal.aborted && clock.nowUs() - sentUs >= stableWatchUs;
    if (succeeded) this.#failures = this.#expired = 0;
    this.#loseView(endsInOrder(broken) && !watch.signal.aborted ? clock.nowUs() : this.#knownUntilUs);
    if (broken !== undefined) throw broken;
    if (succeeded) return 0;
    this.#failures += 1;
    return backoffMs(this.#failures, 0, random());
  }

  #open(signal: AbortSignal): Promise<AsyncIterable<unknown>> {
    const { server, resource, random } = this.#options;
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#resourceVersion,
      timeoutSeconds: String(Math.round(watchSeconds * (1 + random() / 2))),
      ...selectorOf(resource),
    };
    return server.stream(resource.path, query, signal);
  }

  #handleEvent(event: WatchEvent): void {
    if (event.type === 'expired') throw new ApiRefusal(410, 'the requested version is too old');
    this.#resourceVersion = event.resourceVersion;
    this.#knownUntilUs = this.#options.clock.nowUs();
    this.#failures = this.#expired = 0;
    if (event.type === 'put') this.#cache.put(event.raw, this.#knownUntilUs);
    if (event.type === 'gone') this.#cache.remove(event.raw, this.#knownUntilUs);
    this.#endProblem();
  }

  /** Decides whether to list again, reports problems, and returns the wait before the next request. */
  #handleFailure(error: unknown): number {
    const { resource, random } = this.#options;
    const refusal = error instanceof ApiRefusal ? error : undefined;
    if (refusal?.status === 404 && resource.optional) return this.#handleAbsent();
    this.#loseView(this.#knownUntilUs);
    const isWatch = !this.#mustList;
    // A watch from the same version would send the same invalid event again.
    if (refusal ? expiredStatuses.has(refusal.status) : !isNetworkFault(error)) this.#mustList = true;
    if (refusal?.status === 410) {
      this.#expired += 1;
      return this.#expired === 1 ? jitterMs(random()) : backoffMs(this.#expired, refusal.retryAfterMs, random());
    }
    this.#failures += 1;
    const waitMs = backoffMs(this.#failures, refusal?.retryAfterMs ?? 0, random());
    if (refusal && refusedStatuses.has(refusal.status)) return this.#handleRefusal(refusal, waitMs);
    this.#refusedSinceUs = undefined;
    if (refusal) this.#reportProblem(apiFailed(resource.name, refusal.message));
    // One broken watch is normal and not reported.
    else if (this.#failures > 1 || !isWatch) this.#reportProblem(apiUnreachable(resource.name, error));
    return waitMs;
  }

  /** An API server that starts refuses everything for a moment, so a refusal is retried before it counts. */
  #handleRefusal({ status, message }: ApiRefusal, waitMs: number): number {
    const { resource, clock } = this.#options;
    const nowUs = clock.nowUs();
    this.#refusedSinceUs ??= nowUs;
    const retryUs = this.#refusedSinceUs + refusalRetryUs - nowUs;
    if (retryUs > 0 && retriedStatuses.has(status)) {
      this.#reportProblem(apiFailed(resource.name, message));
      return Math.min(waitMs, retryUs / 1000);
    }
    const problem = apiRefused(resource.name, status, message);
    if (!this.#listed) throw new ProblemError(problem);
    this.#reportProblem(problem);
    return waitMs;
  }

  /** The CRD of the kind is not installed, or was removed with its objects. Returns the wait before the next request. */
  #handleAbsent(): number {
    const { resource, clock, receive } = this.#options;
    if (!this.#absent) receive({ type: 'absent', resource: resource.name, atUs: clock.nowUs() });
    this.#absent = true;
    this.#failures = 0;
    this.#takeOver(emptyListing(), '', clock.nowUs());
    this.#mustList = true;
    return absentRetryMs;
  }

  /** The objects are not followed from `sinceUs` on. If that lasts, they are stale. */
  #loseView(sinceUs: number): void {
    if (!this.#listed || this.#stale || this.#cancelStale !== undefined) return;
    this.#cancelStale = this.#options.clock.after(staleAfterMs, () => this.#becomeStale(sinceUs));
  }

  #becomeStale(sinceUs: number): void {
    this.#cancelStale?.();
    this.#cancelStale = undefined;
    this.#stale = true;
    this.#mustList = true;
    this.#watch?.abort();
    this.#options.onStale(sinceUs);
  }

  #regainView(): void {
    this.#cancelStale?.();
    this.#cancelStale = undefined;
    this.#refusedSinceUs = undefined;
    if (this.#problem?.code !== 'watch-silent') this.#endProblem();
    if (!this.#stale) return;
    this.#stale = false;
    this.#options.onFresh();
  }

  /** Lists after each silence of the watch. Returns a function that stops the checks. */
  #checkSilence(watch: AbortController, signal: AbortSignal): () => void {
    const { clock } = this.#options;
    let cancel = () => {};
    const check = async (): Promise<void> => {
      if (this.#silentMs() >= maxSilenceMs) await this.#listAfterSilence(watch, signal);
      if (this.#watch === watch && !watch.signal.aborted) schedule();
    };
    const schedule = (): void => {
      cancel = clock.after(Math.max(1, maxSilenceMs - this.#silentMs()), check);
    };
    schedule();
    return () => cancel();
  }

  #silentMs(): number {
    return (this.#options.clock.nowUs() - this.#knownUntilUs) / 1000;
  }

  /**
   * A quiet kind is normal without bookmarks: nothing is reported if the list shows no change. If it shows one, the watch
   * has some time to deliver it too.
   */
  async #listAfterSilence(watch: AbortController, signal: AbortSignal): Promise<void> {
    const { clock, resource } = this.#options;
    const sentUs = clock.nowUs();
    const silentMs = this.#silentMs();
    const isOver = (): boolean => signal.aborted || this.#watch !== watch || this.#knownUntilUs >= sentUs;
    const listing = emptyListing();
    const onItems = (items: readonly unknown[]): void => this.#cache.addTo(listing, items);
    let version: string;
    try {
      version = await this.#reader.read(this.#resourceVersion, silenceListTimeoutMs, onItems, signal);
    } catch (error) {
      if (isOver()) return;
      this.#reportProblem(apiUnreachable(resource.name, error));
      this.#becomeStale(this.#knownUntilUs);
      return;
    }
    if (!isOver() && this.#cache.differsFrom(listing)) await this.#wait(deliveryTimeoutMs, signal);
    if (isOver()) return;
    const missed = this.#cache.differsFrom(listing);
    if (missed) this.#reportProblem(watchSilent(resource.name, silentMs));
    this.#takeOver(listing, version, sentUs);
    if (missed) watch.abort();
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.after(ms, resolve);
    const stop = () => resolve();
    signal.addEventListener('abort', stop);
    if (!signal.aborted) await promise;
    signal.removeEventListener('abort', stop);
    cancel();
  }

  #reportProblem(problem: Problem): void {
    if (this.#problem?.code !== problem.code) this.#endProblem();
    this.#problem = problem;
    this.#options.receive({ type: 'problem', problem, atUs: this.#options.clock.nowUs() });
  }

  #endProblem(): void {
    if (this.#problem === undefined) return;
    this.#options.receive({ type: 'fixed', problem: this.#problem, atUs: this.#options.clock.nowUs() });
    this.#problem = undefined;
  }
}

/** Statuses that a retry does not change, except that an API server that starts may answer some of them for a moment. */
const refusedStatuses: ReadonlySet<number> = new Set([401, 403, 404]);
const retriedStatuses: ReadonlySet<number> = new Set([401, 403]);

/** The server closed the connection, so everything before that arrived. */
function endsInOrder(broken: unknown): boolean {
  return broken === undefined || systemCode(broken) === 'ECONNRESET';
}

/** Errors of sockets, names and TLS have a code; errors of an invalid response do not. */
function isNetworkFault(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}
