// Keeps the changes of the cluster's objects in the store, so that connections from before a restart are evaluated by the
// objects of their time.
import type { Logger } from 'pino';
import type { ClusterEvent } from '../../model/kubernetes.ts';
import type { KnownObjects, ObjectVersion } from '../../model/object-version.ts';
import { reasonOf } from '../../model/reason.ts';
import type { Store } from './store.ts';

type ObjectStore = Pick<Store, 'putObjectVersions' | 'putKnownObjects'>;

/** While the store does not write; then the oldest are dropped. */
const maxPending = 200_000;

export class ObjectJournal {
  readonly #store: ObjectStore;
  readonly #log: Pick<Logger, 'error'>;
  #pending: ObjectVersion[] = [];
  #synced: boolean;
  #listed = false;
  #incomplete = false;
  #writing: Promise<void> = Promise.resolve();
  #error: string | undefined;

  /** `continued`: a former run has reported the objects, so all events are changes. */
  constructor(store: ObjectStore, continued: boolean, log: Pick<Logger, 'error'>) {
    this.#store = store;
    this.#synced = continued;
    this.#log = log;
  }

  receive(event: ClusterEvent): void {
    if (event.type === 'synced') this.#synced = this.#listed = true;
    if (event.type !== 'put' && event.type !== 'gone') return;
    const { type, object, sinceUs } = event;
    this.#pending.push({
      type,
      object,
      version: (event.type === 'put' && event.version) || '',
      fromUs: this.#synced ? event.atUs : 0,
      ...(sinceUs !== undefined && { sinceUs }),
    });
    if (this.#pending.length <= maxPending) return;
    this.#pending.shift();
    this.#incomplete = true;
  }

  /**
   * Writes the pending changes, then `known`, which the source returned after them; before the first list it is not
   * complete, and not written. Never rejects: what the store refuses is written by a later call.
   */
  write(known?: KnownObjects): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const reason = await this.#write(known).then(
        () => undefined,
        (error: unknown) => reasonOf(error),
      );
      if (reason !== undefined && reason !== this.#error)
        this.#log.error({ reason }, 'cluster objects not stored, retrying');
      this.#error = reason;
    });
    return this.#writing;
  }

  async #write(known: KnownObjects | undefined): Promise<void> {
    const versions = this.#pending;
    this.#pending = [];
    try {
      await this.#store.putObjectVersions(versions);
    } catch (error) {
      this.#pending = [...versions, ...this.#pending];
      throw error;
    }
    if (known !== undefined && this.#listed) await this.#store.putKnownObjects(this.#incomplete ? nothingKnown : known);
  }
}

/** The next run then takes every difference for a change at any time. */
const nothingKnown: KnownObjects = { untilUs: {}, versions: {} };
