// What was judged and is not in the store yet, each thing once, as it was judged last: where the store refuses, it waits
// here until it is taken.
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import type { Judged, Store } from './store.ts';

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
    this.#bound(this.#connections);
    this.#bound(this.#dropped);
  }

  /**
   * Puts what it can: where the store refuses some of it, that waits on, and the first reason is thrown at the end. Nothing is
   * to be added before it settles.
   */
  async put(store: JudgedStore): Promise<void> {
    const refusals: unknown[] = [];
    const taken = async (what: { clear(): void }, put: Promise<void>) => {
      await put.then(
        () => what.clear(),
        (why: unknown) => refusals.push(why),
      );
    };
    await taken(this.#connections, store.putConnections([...this.#connections.values()]));
    await taken(this.#dropped, store.removeConnections([...this.#dropped]));
    await taken(this.#findings, store.putFindings([...this.#findings.values()]));
    await taken(this.#removed, store.removeFindings([...this.#removed]));
    if (refusals.length > 0) throw refusals[0];
  }

  /** What waits, and connections that were lost. */
  get counts(): { waiting: number; lost: number } {
    const { size } = this.#connections;
    return { waiting: size + this.#dropped.size + this.#findings.size + this.#removed.size, lost: this.#lost };
  }

  #bound(waiting: Map<string, unknown> | Set<string>): void {
    for (const id of waiting.keys()) {
      if (waiting.size <= this.#mostConnections) break;
      waiting.delete(id);
      this.#lost += 1;
    }
  }
}
