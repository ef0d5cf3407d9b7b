// Connections to evaluate again once the view of the cluster is complete: those whose verdict is unknown because it was
// not, and recent violations, which a missed change may explain. The join may forget them earlier.
import type { JoinedConnection } from '../../model/joined.ts';
import type { StoredJoin } from '../join/stored-side.ts';

/** As it was evaluated last. `stored`: for the store. */
export type DoubtfulConnection = { joined: JoinedConnection; stored: StoredJoin | undefined };

/** `forgotten`: the join retired the connection, so nothing else refers to it. */
type Kept = DoubtfulConnection & { forgotten: boolean };

/** A missed change becomes known within this time: a silent watch is checked after 90 s. */
export const recentUs = 180_000_000;
const maxRecent = 10_000;
/** While some kinds are still stale, the connections are evaluated at this interval. */
const retryUs = 10_000_000;

export class DoubtfulConnections {
  readonly #doubtful = new Map<string, Kept>();
  readonly #recent = new Map<string, Kept>();
  readonly #maxDoubtful: number;
  readonly #forget: (id: string) => void;
  #due: string[] = [];
  #revision = 0;
  #checkedUs = 0;
  #dropped = 0;

  /** Keeps the latest `maxDoubtful`. Calls `forget` for a forgotten connection that is not kept any more. */
  constructor(maxDoubtful: number, forget: (id: string) => void) {
    this.#maxDoubtful = maxDoubtful;
    this.#forget = forget;
  }

  /** Call after each evaluation. */
  keep(connection: DoubtfulConnection, why: 'doubtful' | 'violation' | 'neither'): void {
    const { id } = connection.joined;
    const known = this.#doubtful.get(id) ?? this.#recent.get(id);
    const kept = { ...connection, forgotten: known?.forgotten ?? false };
    this.remove(id);
    if (why === 'doubtful') this.#doubtful.set(id, kept);
    else if (why === 'violation') this.#recent.set(id, kept);
    else this.#release(kept);
    if (this.#doubtful.size > this.#maxDoubtful) {
      this.#dropped += 1;
      this.#dropOldest(this.#doubtful);
    }
    if (this.#recent.size > maxRecent) this.#dropOldest(this.#recent);
  }

  get(id: string): DoubtfulConnection | undefined {
    return this.#doubtful.get(id) ?? this.#recent.get(id);
  }

  /** True if the connection is kept: `forget` is then called later. */
  retired(id: string): boolean {
    const kept = this.#doubtful.get(id) ?? this.#recent.get(id);
    if (kept === undefined) return false;
    kept.forgotten = true;
    return true;
  }

  /** The connection no longer exists. */
  remove(id: string): void {
    this.#doubtful.delete(id);
    this.#recent.delete(id);
  }

  /**
   * The connections to evaluate now, at most `max`. `revision` is that of the view: it increases when a doubt may have
   * ended. Each returned connection must be passed to `keep`.
   */
  due(revision: number, stale: boolean, nowUs: number, max: number): DoubtfulConnection[] {
    this.#expireRecent(nowUs);
    const retry = !stale || nowUs - this.#checkedUs >= retryUs;
    if (revision !== this.#revision && this.#due.length === 0 && retry) {
      this.#revision = revision;
      this.#checkedUs = nowUs;
      this.#due = [...this.#doubtful.keys(), ...this.#recent.keys()].reverse();
    }
    const due: DoubtfulConnection[] = [];
    while (due.length < max && this.#due.length > 0) {
      const id = this.#due.pop()!;
      const kept = this.#doubtful.get(id) ?? this.#recent.get(id);
      if (kept !== undefined) due.push(kept);
    }
    return due;
  }

  get hasDue(): boolean {
    return this.#due.length > 0;
  }

  /** `dropped`: too many were kept, so their verdicts stay unknown. */
  get counts(): { doubtful: number; dropped: number } {
    return { doubtful: this.#doubtful.size, dropped: this.#dropped };
  }

  #expireRecent(nowUs: number): void {
    for (const [id, kept] of this.#recent) {
      if (nowUs - kept.joined.startUs <= recentUs) return;
      this.#recent.delete(id);
      this.#release(kept);
    }
  }

  #dropOldest(connections: Map<string, Kept>): void {
    const [id, kept] = connections.entries().next().value!;
    connections.delete(id);
    this.#release(kept);
  }

  #release({ joined, forgotten }: Kept): void {
    if (forgotten) this.#forget(joined.id);
  }
}
