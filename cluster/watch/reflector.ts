// Keeps one resource in step with the API server: list, watch from there, and list again where changes may be missing.
// Informers go deaf without a word; here a watch that tells nothing for a while, not even a bookmark, is given up.
import type { ClusterEvent } from '../../model/kubernetes.ts';
import { type Problem, ProblemError } from '../../model/problem.ts';
import type { Clock } from '../clock.ts';
import { readListPage, readWatchEvent, type WatchEvent } from './answers.ts';
import { ApiRefusal, type ApiServer, type Query } from './api-server.ts';
import { backoffMs } from './backoff.ts';
import { apiFailed, apiRefused, apiUnreachable, watchSilent } from './errors.ts';
import { Mirror } from './mirror.ts';
import type { Resource } from './resources.ts';

export type ReflectorOptions = {
  server: ApiServer;
  resource: Resource;
  /** `cache`: a list may come from the API server's memory, not older than what is known: etcd is spared. */
  listFrom: 'etcd' | 'cache';
  clock: Clock;
  random: () => number;
  receive: (event: ClusterEvent) => void;
  /** All that there is has been told. */
  onListed: () => void;
  /** Nothing was heard after `sinceUs`; `onListed` will say that this is over. */
  onDeaf: (sinceUs: number) => void;
};

const pageObjects = 500;
const pageTimeoutMs = 60_000;
/** API servers send a bookmark a minute. */
export const silentMs = 180_000;
/** A watch is ended by the server after this, and half as much again at most; longer than silence is borne. */
const watchSeconds = 300;
/** Ended sooner than this, the next one waits a little, whatever it told. */
const shortWatchUs = 1_000_000;
/** How often a kind is asked for that the API server does not know; below what is borne as silence. */
const absentMs = 30_000;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #mirror: Mirror;
  #resourceVersion = '';
  #mustList = true;
  #listed = false;
  /** How the last list was refused, and so must not be asked for again. */
  #listRefused: 'no' | 'cached' | 'paged' = 'no';
  /** In a row, without an event of the watch in between. */
  #failures = 0;
  #heardUs = 0;
  #deaf = false;
  #absent = false;
  #watch: AbortController | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#mirror = new Mirror(options.resource, options.receive);
  }

  /** Until `signal`. Throws a ProblemError where the first list is refused and asking again will not help. */
  async run(signal: AbortSignal): Promise<void> {
    const silence = this.#watchSilence();
    while (!signal.aborted) {
      let waitMs = 0;
      try {
        if (this.#mustList) await this.#list(signal);
        waitMs = await this.#follow(signal);
      } catch (error) {
        if (!signal.aborted) waitMs = this.#failed(error);
      }
      if (waitMs > 0) await this.#wait(waitMs, signal);
    }
    silence();
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { resource, clock } = this.#options;
    const keys = new Set<string>();
    let resourceVersion = '';
    let query: Query | undefined = this.#firstPage();
    while (query !== undefined) {
      const page = readListPage(await this.#page(query, signal));
      for (const raw of page.items) keys.add(this.#mirror.put(raw, clock.nowUs()));
      ({ resourceVersion } = page);
      query =
        page.next === '' ? undefined : { limit: String(pageObjects), continue: page.next, ...selectorOf(resource) };
    }
    if (signal.aborted) return;
    this.#resourceVersion = resourceVersion;
    this.#mustList = false;
    this.#absent = false;
    this.#allTold(keys);
  }

  #allTold(keys: ReadonlySet<string>): void {
    const nowUs = this.#options.clock.nowUs();
    this.#mirror.keepOnly(keys, nowUs);
    this.#listRefused = 'no';
    this.#listed = true;
    this.#deaf = false;
    this.#heardUs = nowUs;
    this.#options.onListed();
  }

  #firstPage(): Query {
    const { resource, listFrom } = this.#options;
    const selector = selectorOf(resource);
    if (listFrom === 'cache' && this.#listRefused !== 'cached') {
      return { resourceVersion: this.#resourceVersion || '0', resourceVersionMatch: 'NotOlderThan', ...selector };
    }
    return this.#listRefused === 'paged' ? selector : { limit: String(pageObjects), ...selector };
  }

  async #page(query: Query, signal: AbortSignal): Promise<unknown> {
    const { server, resource, clock } = this.#options;
    const timeout = new AbortController();
    const cancel = clock.after(pageTimeoutMs, () => timeout.abort());
    try {
      return await server.get(resource.path, query, AbortSignal.any([signal, timeout.signal]));
    } catch (error) {
      if (timeout.signal.aborted) throw new Error(`no response within ${pageTimeoutMs / 1000} s`);
      if (error instanceof ApiRefusal && expiredStatus.has(error.status)) {
        this.#listRefused = 'continue' in query || 'limit' in query ? 'paged' : 'cached';
      }
      throw error;
    } finally {
      cancel();
    }
  }

  /** Returns how long to wait before the next watch. */
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
      for await (const line of lines) this.#hear(readWatchEvent(line));
    } catch (error) {
      if (!watch.signal.aborted) throw error;
    } finally {
      this.#watch = undefined;
    }
    // The server ends a watch in its time. One that was given up, or ended at once or without a word, is a failure.
    const toldUntilItsTime = !watch.signal.aborted && this.#heardUs >= beganUs;
    if (toldUntilItsTime && clock.nowUs() - beganUs >= shortWatchUs) return 0;
    this.#failures += 1;
    return backoffMs(this.#failures, 0, random());
  }

  #hear(event: WatchEvent): void {
    if (event.type === 'expired') throw new ApiRefusal(410, 'the version asked for is too old');
    this.#resourceVersion = event.resourceVersion;
    this.#heardUs = this.#options.clock.nowUs();
    this.#failures = 0;
    if (event.type === 'put') this.#mirror.put(event.raw, this.#heardUs);
    if (event.type === 'gone') this.#mirror.remove(event.raw, this.#heardUs);
  }

  /** Decides whether to list again, tells what a person should know, and returns how long to wait. */
  #failed(error: unknown): number {
    const { resource, random } = this.#options;
    const refused = error instanceof ApiRefusal;
    if (refused && error.status === 404 && resource.optional) return this.#becomeAbsent();
    this.#failures += 1;
    // What is not understood would be told again from the same version on.
    if (refused ? expiredStatus.has(error.status) : !isNetworkFault(error)) this.#mustList = true;
    if (refused && hopeless.has(error.status)) {
      const problem = apiRefused(resource.name, error.status);
      if (!this.#listed) throw new ProblemError(problem);
      this.#problem(problem);
    } else if (refused && error.status !== 410) this.#problem(apiFailed(resource.name, error.message));
    // A connection that is cut once, or a version that is too old, is everyday life.
    else if (!refused && (this.#failures > 1 || !this.#listed)) this.#problem(apiUnreachable(resource.name, error));
    return backoffMs(this.#failures, refused ? error.retryAfterMs : 0, random());
  }

  /** Nobody installed the kind, or somebody took it away with all that there was of it. Returns how long to wait. */
  #becomeAbsent(): number {
    const { resource, clock, receive } = this.#options;
    if (!this.#absent) receive({ type: 'absent', resource: resource.name, atUs: clock.nowUs() });
    this.#absent = true;
    this.#failures = 0;
    this.#resourceVersion = '';
    this.#mustList = true;
    this.#allTold(new Set());
    return absentMs;
  }

  /** Looks now and then whether anything was heard; returns how to end it. */
  #watchSilence(): () => void {
    const { clock } = this.#options;
    let cancel = () => {};
    const look = (): void => {
      const silentForMs = (clock.nowUs() - this.#heardUs) / 1000;
      if (this.#listed && !this.#deaf && silentForMs >= silentMs) this.#becomeDeaf();
      const leftMs = this.#listed && !this.#deaf ? silentMs - silentForMs : silentMs;
      cancel = clock.after(Math.max(1, leftMs), look);
    };
    cancel = clock.after(silentMs, look);
    return () => cancel();
  }

  #becomeDeaf(): void {
    const { resource, onDeaf } = this.#options;
    this.#deaf = true;
    this.#mustList = true;
    onDeaf(this.#heardUs);
    if (this.#watch === undefined) return;
    this.#problem(watchSilent(resource.name, silentMs));
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

/** 410: too old; 504: the server's memory is behind the version that was asked for. */
const expiredStatus = new Set([410, 504]);
const hopeless = new Set([401, 403, 404]);

function selectorOf(resource: Resource): Query {
  return resource.fieldSelector === undefined ? {} : { fieldSelector: resource.fieldSelector };
}

/** Errors of sockets, names and TLS have a code; what we could not understand has none. */
function isNetworkFault(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}
