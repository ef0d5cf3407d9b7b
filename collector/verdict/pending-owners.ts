// Connections with an end of unknown owner. The API server reports a pod's address some time after the pod got it, so they
// are re-evaluated for a while.
import type { JoinedConnection } from '../../model/joined.ts';

const retryIntervalUs = 500_000;

export class PendingOwners {
  readonly #retries = new Map<string, { joined: JoinedConnection; retryUs: number }>();
  readonly #maxWaitUs: number;
  readonly #maxPending: number;

  constructor(maxWaitUs: number, maxPending: number) {
    this.#maxWaitUs = maxWaitUs;
    this.#maxPending = maxPending;
  }

  /** True if the connection is young enough for an owner to appear: it is then re-evaluated soon. */
  retryLater(joined: JoinedConnection, nowUs: number): boolean {
    if (nowUs - joined.startUs > this.#maxWaitUs || this.#retries.size >= this.#maxPending) {
      this.#retries.delete(joined.id);
      return false;
    }
    // The map stays in the order of `retryUs`.
    this.#retries.delete(joined.id);
    this.#retries.set(joined.id, { joined, retryUs: nowUs + retryIntervalUs });
    return true;
  }

  remove(id: string): void {
    this.#retries.delete(id);
  }

  /** Removes and returns the connections that are due, at most `maxConnections`. */
  due(nowUs: number, maxConnections: number): JoinedConnection[] {
    const due: JoinedConnection[] = [];
    for (const [id, { joined, retryUs }] of this.#retries) {
      if (retryUs > nowUs || due.length >= maxConnections) break;
      this.#retries.delete(id);
      due.push(joined);
    }
    return due;
  }

  get size(): number {
    return this.#retries.size;
  }
}
