// Writes the DNS names of interfaces to the store from time to time, so that a restarted collector has them.
import type { Logger } from 'pino';
import { reasonOf } from '../model/reason.ts';
import type { DnsNames, StoredNames } from './identity/dns-names.ts';
import type { Store } from './store/store.ts';

/** Interfaces that are written at once: to make text of them blocks the main thread. */
const maxAtOnce = 200;

export class StoredNamesWriter {
  readonly #names: Pick<DnsNames, 'changes'>;
  readonly #store: Pick<Store, 'putNames'>;
  readonly #log: Pick<Logger, 'error'>;
  /** What the store refused. */
  #put = new Map<string, StoredNames>();
  #removed = new Set<string>();
  #writing: Promise<void> = Promise.resolve();

  constructor(names: Pick<DnsNames, 'changes'>, store: Pick<Store, 'putNames'>, log: Pick<Logger, 'error'>) {
    this.#names = names;
    this.#store = store;
    this.#log = log;
  }

  /** Calls run one after the other. Never rejects: what the store refuses is written by a later call. */
  write(): Promise<void> {
    this.#writing = this.#writing
      .then(() => this.#writeAll())
      .catch((error: unknown) => this.#log.error({ reason: reasonOf(error) }, 'DNS names not stored, retrying'));
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      const { put, removed } = this.#names.changes(maxAtOnce);
      for (const key of removed) {
        this.#put.delete(key);
        this.#removed.add(key);
      }
      for (const one of put) {
        this.#removed.delete(one.key);
        this.#put.set(one.key, one);
      }
      if (this.#put.size + this.#removed.size === 0) return;
      await this.#store.putNames({ put: [...this.#put.values()], removed: [...this.#removed] });
      this.#put.clear();
      this.#removed.clear();
    }
  }
}
