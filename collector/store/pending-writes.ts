// What was judged and is not in the store yet, each thing once, as it was judged last: where the store refuses, it waits
// here until it is taken.
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import type { ChangeSet, Store } from './store.ts';

type ChangeStore = Pick<Store, 'putConnections' | 'removeConnections' | 'putFindings' | 'removeFindings'>;

export class PendingWrites {
  readonly #maxConnections: number;
  readonly #connections = new Map<string, Connection>();
  readonly #merged = new Set<string>();
  readonly #findings = new Map<string, Finding>();
  readonly #removed = new Set<string>();
  #lost = 0;

  /** Of more connections than `mostConnections` the oldest are lost, and counted; findings have a bound of their own. */
  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections;
  }

  add({ connections, merged, findings }: ChangeSet): void {
    for (const one of connections) {
      this.#connections.delete(one.id);
      this.#connections.set(one.id, one);
    }
    for (const id of merged) {
      this.#connections.delete(id);
      this.#merged.add(id);
    }
    for (const one of findings.put) {
      this.#removed.delete(one.id);
      this.#findings.set(one.id, one);
    }
    for (const id of findings.removed) {
      this.#findings.delete(id);
      this.#removed.add(id);
    }
    this.#evict(this.#connections);
    this.#evict(this.#merged);
  }

  /**
   * Puts what it can: where the store refuses some of it, that waits on, and the first reason is thrown at the end. Nothing is
   * to be added before it settles.
   */
  async writeTo(store: ChangeStore): Promise<void> {
    const errors: unknown[] = [];
    const write = async (pending: { clear(): void }, writing: Promise<void>) => {
      await writing.then(
        () => pending.clear(),
        (why: unknown) => errors.push(why),
      );
    };
    await write(this.#connections, store.putConnections([...this.#connections.values()]));
    await write(this.#merged, store.removeConnections([...this.#merged]));
    await write(this.#findings, store.putFindings([...this.#findings.values()]));
    await write(this.#removed, store.removeFindings([...this.#removed]));
    if (errors.length > 0) throw errors[0];
  }

  /** What waits, and connections that were lost. */
  get counts(): { waiting: number; lost: number } {
    const { size } = this.#connections;
    return { waiting: size + this.#merged.size + this.#findings.size + this.#removed.size, lost: this.#lost };
  }

  #evict(pending: Map<string, unknown> | Set<string>): void {
    for (const id of pending.keys()) {
      if (pending.size <= this.#maxConnections) break;
      pending.delete(id);
      this.#lost += 1;
    }
  }
}
