// Reads the complete list of one resource, page by page. If the server refuses one form of list, the next request uses
// another.
import type { Clock } from '../clock.ts';
import { ApiRefusal, type ApiServer, type Query } from './api-server.ts';
import { type Resource, selectorOf } from './resources.ts';
import { readListPage } from './responses.ts';

export type ListReaderOptions = {
  server: ApiServer;
  resource: Resource;
  /** `cache`: the API server may answer a list from memory, with a version not older than the last one, to spare etcd. */
  listFrom: 'etcd' | 'cache';
  clock: Clock;
};

const maxPageObjects = 500;

export class ListReader {
  readonly #options: ListReaderOptions;
  /** The form of list that the server refused last, and that must not be requested again. */
  #refused: 'no' | 'cached' | 'paged' = 'no';

  constructor(options: ListReaderOptions) {
    this.#options = options;
  }

  /**
   * Returns the version of the list. `knownVersion` is the last one, or empty. Throws like ApiServer, and if a page takes
   * longer than `pageTimeoutMs`.
   */
  async read(
    knownVersion: string,
    pageTimeoutMs: number,
    onItems: (items: readonly unknown[]) => void,
    signal: AbortSignal,
  ): Promise<string> {
    let resourceVersion = '';
    let query: Query | undefined = this.#firstPage(knownVersion);
    while (query !== undefined) {
      const page = readListPage(await this.#page(query, pageTimeoutMs, signal));
      onItems(page.items);
      ({ resourceVersion } = page);
      query = page.next === '' ? undefined : this.#paged({ continue: page.next });
    }
    this.#refused = 'no';
    return resourceVersion;
  }

  #firstPage(knownVersion: string): Query {
    const { resource, listFrom } = this.#options;
    const selector = selectorOf(resource);
    if (listFrom === 'cache' && this.#refused !== 'cached') {
      return { resourceVersion: knownVersion || '0', resourceVersionMatch: 'NotOlderThan', ...selector };
    }
    return this.#refused === 'paged' ? selector : this.#paged({});
  }

  #paged(query: Query): Query {
    return { limit: String(maxPageObjects), ...query, ...selectorOf(this.#options.resource) };
  }

  async #page(query: Query, timeoutMs: number, signal: AbortSignal): Promise<unknown> {
    const { server, resource, clock } = this.#options;
    const timeout = new AbortController();
    const cancel = clock.after(timeoutMs, () => timeout.abort());
    try {
      return await server.get(resource.path, query, AbortSignal.any([signal, timeout.signal]));
    } catch (error) {
      if (timeout.signal.aborted) throw new Error(`no response within ${timeoutMs / 1000} s`);
      if (error instanceof ApiRefusal && expiredStatuses.has(error.status)) {
        this.#refused = 'continue' in query || 'limit' in query ? 'paged' : 'cached';
      }
      throw error;
    } finally {
      cancel();
    }
  }
}

/** 410: the version is too old. 504: the server's cache is behind the requested version. */
export const expiredStatuses: ReadonlySet<number> = new Set([410, 504]);
