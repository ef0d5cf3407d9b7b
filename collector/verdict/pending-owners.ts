// Connections with an end that nobody owned as far as the API server told by then: it tells a pod's address some time
// after the pod has it, so they are judged again for a while.
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

  /** Whether the connection is young enough for an owner to appear; it is judged again soon then. */
  retryLater(joined: JoinedConnection, nowUs: number): boolean {
    if (nowUs - joined.startUs > this.#maxWaitUs || this.#retries.size >= this.#maxPending) {
      this.#retries.delete(joined.id);
      return false;
    }
    // In the order of their times.
    this.#retries.delete(joined.id);
    this.#retries.set(joined.id, { joined, retryUs: nowUs + retryIntervalUs });
    return true;
  }

  remove(id: string): void {
    this.#retries.delete(id);
  }

  /** At most so many; they are waited for no more. */
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
