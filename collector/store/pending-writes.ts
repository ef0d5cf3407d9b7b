// Connections and findings that are not in the store yet, each in its latest version. If a write fails, they stay here
// until the next one.
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

  /** Above `maxConnections`, the oldest connections are dropped and counted. The number of findings has its own limit. */
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
   * Writes everything that it can. What fails stays pending, and the first error is thrown at the end. Do not call `add`
   * before it settles.
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

  /** Pending writes, and dropped connections. */
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
