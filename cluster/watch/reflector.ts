// Keeps one resource in sync with the API server: lists it, watches it, and lists it again if it may have missed changes.
// A watch can stop delivering without an error, so one without an event or bookmark for too long is aborted.
import type { ClusterEvent } from '../../model/kubernetes.ts';
import { type Problem, ProblemError } from '../../model/problem.ts';
import type { Clock } from '../clock.ts';
import { ApiRefusal, type ApiServer, type Query } from './api-server.ts';
import { backoffMs } from './backoff.ts';
import { apiFailed, apiRefused, apiUnreachable, watchSilent } from './errors.ts';
import { ResourceCache } from './resource-cache.ts';
import type { Resource } from './resources.ts';
import { readListPage, readWatchEvent, type WatchEvent } from './responses.ts';

export type ReflectorOptions = {
  server: ApiServer;
  resource: Resource;
  /** `cache`: the API server may answer a list from memory, with a version not older than the last one, to spare etcd. */
  listFrom: 'etcd' | 'cache';
  clock: Clock;
  random: () => number;
  receive: (event: ClusterEvent) => void;
  /** All existing objects have been reported. */
  onListed: () => void;
  /** Changes after `sinceUs` may be missing, until the next `onListed`. */
  onStale: (sinceUs: number) => void;
};

const maxPageObjects = 500;
const pageTimeoutMs = 60_000;
/** API servers send a bookmark every minute. */
const maxSilenceMs = 180_000;
/** The server ends a watch after 1 to 1.5 times this, which is longer than `maxSilenceMs`. */
const watchSeconds = 300;
/** After a shorter watch, the next one waits. */
const minWatchUs = 1_000_000;
/** Interval of requests for a kind that the API server does not know; shorter than `maxSilenceMs`. */
const absentRetryMs = 30_000;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #cache: ResourceCache;
  #resourceVersion = '';
  #mustList = true;
  #listed = false;
  /** The form of list that the server refused last, and that must not be requested again. */
  #listRefused: 'no' | 'cached' | 'paged' = 'no';
  /** Consecutive failures, without a watch event in between. */
  #failures = 0;
  #lastEventUs = 0;
  #stale = false;
  #absent = false;
  #watch: AbortController | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#cache = new ResourceCache(options.resource, options.receive);
  }

  /** Runs until `signal`. Throws a ProblemError if the first list is refused and a retry does not change that. */
  async run(signal: AbortSignal): Promise<void> {
    const stopSilenceCheck = this.#startSilenceCheck();
    while (!signal.aborted) {
      let waitMs = 0;
      try {
        if (this.#mustList) await this.#list(signal);
        waitMs = await this.#follow(signal);
      } catch (error) {
        if (!signal.aborted) waitMs = this.#handleFailure(error);
      }
      if (waitMs > 0) await this.#wait(waitMs, signal);
    }
    stopSilenceCheck();
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { resource, clock } = this.#options;
    const keys = new Set<string>();
    let resourceVersion = '';
    let query: Query | undefined = this.#firstPage();
    while (query !== undefined) {
      const page = readListPage(await this.#page(query, signal));
      for (const raw of page.items) keys.add(this.#cache.put(raw, clock.nowUs()));
      ({ resourceVersion } = page);
      query =
        page.next === '' ? undefined : { limit: String(maxPageObjects), continue: page.next, ...selectorOf(resource) };
    }
    if (signal.aborted) return;
    this.#resourceVersion = resourceVersion;
    this.#mustList = false;
    this.#absent = false;
    this.#completeList(keys);
  }

  #completeList(keys: ReadonlySet<string>): void {
    const nowUs = this.#options.clock.nowUs();
    this.#cache.keepOnly(keys, nowUs);
    this.#listRefused = 'no';
    this.#listed = true;
    this.#stale = false;
    this.#lastEventUs = nowUs;
    this.#options.onListed();
  }

  #firstPage(): Query {
    const { resource, listFrom } = this.#options;
    const selector = selectorOf(resource);
    if (listFrom === 'cache' && this.#listRefused !== 'cached') {
      return { resourceVersion: this.#resourceVersion || '0', resourceVersionMatch: 'NotOlderThan', ...selector };
    }
    return this.#listRefused === 'paged' ? selector : { limit: String(maxPageObjects), ...selector };
  }

  async #page(query: Query, signal: AbortSignal): Promise<unknown> {
    const { server, resource, clock } = this.#options;
    const timeout = new AbortController();
    const cancel = clock.after(pageTimeoutMs, () => timeout.abort());
    try {
      return await server.get(resource.path, query, AbortSignal.any([signal, timeout.signal]));
    } catch (error) {
      if (timeout.signal.aborted) throw new Error(`no response within ${pageTimeoutMs / 1000} s`);
      if (error instanceof ApiRefusal && expiredStatuses.has(error.status)) {
        this.#listRefused = 'continue' in query || 'limit' in query ? 'paged' : 'cached';
      }
      throw error;
    } finally {
      cancel();
    }
  }

  /** Returns the wait before the next watch. */
  async #follow(signal: AbortSignal): Promise<number> {
    const { server, resource, random, clock } = this.#options;
    const watch = new AbortController();
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#resourceVersion,
      timeoutSeconds: String(Math.round(watchSeconds * (1 + random() / 2))),
      ...selectorOf(resource),
    };
    const lines = server.stream(resource.path, query, AbortSignal.any([signal, watch.signal]));
    const beganUs = clock.nowUs();
    this.#watch = watch;
    try {
      for await (const line of lines) this.#handleEvent(readWatchEvent(line));
    } catch (error) {
      if (!watch.signal.aborted) throw error;
    } finally {
      this.#watch = undefined;
    }
    // The server ends each watch after some minutes. A watch that was aborted, very short, or without events is a failure.
    const endedNormally = !watch.signal.aborted && this.#lastEventUs >= beganUs;
    if (endedNormally && clock.nowUs() - beganUs >= minWatchUs) return 0;
    this.#failures += 1;
    return backoffMs(this.#failures, 0, random());
  }

  #handleEvent(event: WatchEvent): void {
    if (event.type === 'expired') throw new ApiRefusal(410, 'the requested version is too old');
    this.#resourceVersion = event.resourceVersion;
    this.#lastEventUs = this.#options.clock.nowUs();
    this.#failures = 0;
    if (event.type === 'put') this.#cache.put(event.raw, this.#lastEventUs);
    if (event.type === 'gone') this.#cache.remove(event.raw, this.#lastEventUs);
  }

  /** Decides whether to list again, reports problems, and returns the wait before the next request. */
  #handleFailure(error: unknown): number {
    const { resource, random } = this.#options;
    const refused = error instanceof ApiRefusal;
    if (refused && error.status === 404 && resource.optional) return this.#handleAbsent();
    this.#failures += 1;
    // A watch from the same version would send the same invalid event again.
    if (refused ? expiredStatuses.has(error.status) : !isNetworkFault(error)) this.#mustList = true;
    if (refused && permanentStatuses.has(error.status)) {
      const problem = apiRefused(resource.name, error.status);
      if (!this.#listed) throw new ProblemError(problem);
      this.#problem(problem);
    } else if (refused && error.status !== 410) this.#problem(apiFailed(resource.name, error.message));
    // One broken connection, or an expired version, is normal and not reported.
    else if (!refused && (this.#failures > 1 || !this.#listed)) this.#problem(apiUnreachable(resource.name, error));
    return backoffMs(this.#failures, refused ? error.retryAfterMs : 0, random());
  }

  /** The CRD of the kind is not installed, or was removed with its objects. Returns the wait before the next request. */
  #handleAbsent(): number {
    const { resource, clock, receive } = this.#options;
    if (!this.#absent) receive({ type: 'absent', resource: resource.name, atUs: clock.nowUs() });
    this.#absent = true;
    this.#failures = 0;
    this.#resourceVersion = '';
    this.#mustList = true;
    this.#completeList(new Set());
    return absentRetryMs;
  }

  /** Checks regularly for missing events. Returns a function that stops the checks. */
  #startSilenceCheck(): () => void {
    const { clock } = this.#options;
    let cancel = () => {};
    const check = (): void => {
      const silentForMs = (clock.nowUs() - this.#lastEventUs) / 1000;
      if (this.#listed && !this.#stale && silentForMs >= maxSilenceMs) this.#becomeStale();
      const leftMs = this.#listed && !this.#stale ? maxSilenceMs - silentForMs : maxSilenceMs;
      cancel = clock.after(Math.max(1, leftMs), check);
    };
    cancel = clock.after(maxSilenceMs, check);
    return () => cancel();
  }

  #becomeStale(): void {
    const { resource, onStale } = this.#options;
    this.#stale = true;
    this.#mustList = true;
    onStale(this.#lastEventUs);
    if (this.#watch === undefined) return;
    this.#problem(watchSilent(resource.name, maxSilenceMs));
    this.#watch.abort();
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

  #problem(problem: Problem): void {
    this.#options.receive({ type: 'problem', problem, atUs: this.#options.clock.nowUs() });
  }
}

/** 410: the version is too old. 504: the server's cache is behind the requested version. */
const expiredStatuses = new Set([410, 504]);
const permanentStatuses = new Set([401, 403, 404]);

function selectorOf(resource: Resource): Query {
  return resource.fieldSelector === undefined ? {} : { fieldSelector: resource.fieldSelector };
}

/** Errors of sockets, names and TLS have a code; errors of an invalid response do not. */
function isNetworkFault(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}
