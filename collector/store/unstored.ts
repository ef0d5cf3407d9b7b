// What was judged and is not in the store yet, each thing once, as it was judged last: where the store refuses, it waits
// here until it is taken.
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import type { Store } from './store.ts';

/** What was judged since it was last asked. `dropped` and `removed` are ids. */
export type Judged = {
  connections: readonly Connection[];
  dropped: readonly string[];
  findings: { put: readonly Finding[]; removed: readonly string[] };
};

type JudgedStore = Pick<Store, 'putConnections' | 'removeConnections' | 'putFindings' | 'removeFindings'>;

export class Unstored {
  readonly #mostConnections: number;
  readonly #connections = new Map<string, Connection>();
  readonly #dropped = new Set<string>();
  readonly #findings = new Map<string, Finding>();
  readonly #removed = new Set<string>();
  #lost = 0;

  /** Of more connections than `mostConnections` the oldest are lost, and counted; findings have a bound of their own. */
  constructor(mostConnections: number) {
    this.#mostConnections = mostConnections;
  }

  add({ connections, dropped, findings }: Judged): void {
    for (const one of connections) {
      this.#connections.delete(one.id);
      this.#connections.set(one.id, one);
    }
    for (const id of dropped) {
      this.#connections.delete(id);
      this.#dropped.add(id);
    }
    for (const one of findings.put) {
      this.#removed.delete(one.id);
      this.#findings.set(one.id, one);
    }
    for (const id of findings.removed) {
      this.#findings.delete(id);
      this.#removed.add(id);
    }
    for (const id of this.#connections.keys()) {
      if (this.#connections.size <= this.#mostConnections) break;
      this.#connections.delete(id);
      this.#lost += 1;
    }
  }

  /** Rejects where the store refuses: what it did not take waits on. Nothing is to be added before it settles. */
  async put(store: JudgedStore): Promise<void> {
    await store.putConnections([...this.#connections.values()]);
    this.#connections.clear();
    await store.removeConnections([...this.#dropped]);
    this.#dropped.clear();
    await store.putFindings([...this.#findings.values()]);
    this.#findings.clear();
    await store.removeFindings([...this.#removed]);
    this.#removed.clear();
  }

  /** Connections and findings that wait, and connections that were lost. */
  get counts(): { waiting: number; lost: number } {
    return { waiting: this.#connections.size + this.#findings.size, lost: this.#lost };
  }
}
