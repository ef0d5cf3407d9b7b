// Connections with an end of unknown owner. The API server reports a pod's address some time after the pod got it, so they
// are re-evaluated for a while.

const retryIntervalUs = 500_000;

export class PendingOwners {
  /** When to evaluate the connection with that id again, the earliest first. */
  readonly #retryUs = new Map<string, number>();
  readonly #maxPending: number;

  constructor(maxPending: number) {
    this.#maxPending = maxPending;
  }

  /** The connection is re-evaluated soon, unless it is later than `untilUs`, or too many are pending. */
  retryLater(id: string, untilUs: number, nowUs: number): void {
    // The map stays in the order of its times.
    this.#retryUs.delete(id);
    if (nowUs > untilUs || this.#retryUs.size >= this.#maxPending) return;
    this.#retryUs.set(id, nowUs + retryIntervalUs);
  }

  remove(id: string): void {
    this.#retryUs.delete(id);
  }

  /** Removes and returns the connections that are due, at most `maxConnections`. */
  due(nowUs: number, maxConnections: number): string[] {
    const due: string[] = [];
    for (const [id, retryUs] of this.#retryUs) {
      if (retryUs > nowUs || due.length >= maxConnections) break;
      this.#retryUs.delete(id);
      due.push(id);
    }
    return due;
  }

  hasDue(nowUs: number): boolean {
    const [earliest] = this.#retryUs.values();
    return earliest !== undefined && earliest <= nowUs;
  }

  get size(): number {
    return this.#retryUs.size;
  }
}
