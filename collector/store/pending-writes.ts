// Connections and findings that are not in the store yet, each in its latest version. If a write fails, they stay here
// until the next one.
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import type { ChangeSet, Store, StoreChanges } from './store.ts';

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
      this.#merged.delete(one.id);
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
   * Writes everything at once. If that fails, it writes what it can: what fails stays pending, and the first error is
   * thrown at the end. Do not call `add` before it settles.
   */
  async writeTo(store: Pick<Store, 'write'>): Promise<void> {
    const parts = [
      { changes: { connections: [...this.#connections.values()] }, pending: [this.#connections] },
      { changes: { merged: [...this.#merged] }, pending: [this.#merged] },
      {
        changes: { findings: [...this.#findings.values()], removedFindings: [...this.#removed] },
        pending: [this.#findings, this.#removed],
      },
    ].filter(({ pending }) => pending.some(({ size }) => size > 0));
    if (parts.length === 0) return;
    const write = async (some: typeof parts): Promise<unknown> => {
      const changes: Partial<StoreChanges> = Object.assign({}, ...some.map((part) => part.changes));
      return store.write(changes).then(
        () => {
          for (const { pending } of some) for (const collection of pending) collection.clear();
        },
        (error: unknown) => error ?? new Error('unknown reason'),
      );
    };
    const error = await write(parts);
    if (error === undefined) return;
    if (parts.length > 1) for (const part of parts) await write([part]);
    throw error;
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
