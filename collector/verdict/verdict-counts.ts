// Counts connections by verdict, unknown ones by reason. A connection counts once, with its latest verdict.
import type { Connection } from '../../model/connection.ts';

export class VerdictCounts {
  readonly #counts: Record<string, number> = {};
  readonly #live = new Map<string, string>();

  count(connection: Connection): void {
    const key = connection.verdict === 'unknown' ? `unknown: ${connection.unknownReason}` : connection.verdict;
    const previous = this.#live.get(connection.id);
    if (previous === key) return;
    if (previous !== undefined) this.#counts[previous]! -= 1;
    this.#live.set(connection.id, key);
    this.#counts[key] = (this.#counts[key] ?? 0) + 1;
  }

  /** The connection was merged into another one: it no longer counts. */
  remove(connectionId: string): void {
    const key = this.#live.get(connectionId);
    if (key !== undefined) this.#counts[key]! -= 1;
    this.#live.delete(connectionId);
  }

  /** The connection is retired: it still counts. */
  forget(connectionId: string): void {
    this.#live.delete(connectionId);
  }

  counts(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#counts).filter(([, connections]) => connections > 0));
  }
}
