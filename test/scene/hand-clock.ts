// A clock that the test advances. Calls run in the order of their time, without real waiting.
import type { Clock } from '../../cluster/clock.ts';

type Call = { atMs: number; run: () => void };

export class HandClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);
  readonly #calls = new Set<Call>();
  #onCall: (() => void)[] = [];

  nowUs(): number {
    return this.#nowMs * 1000;
  }

  after(ms: number, run: () => void): () => void {
    const call = { atMs: this.#nowMs + ms, run };
    this.#calls.add(call);
    for (const wake of this.#onCall.splice(0)) wake();
    return () => this.#calls.delete(call);
  }

  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#calls.delete(next);
      next.run();
    }
    this.#nowMs = endMs;
  }

  /** The time until the next call; infinite without one. */
  get nextCallInMs(): number {
    return (this.#next(Number.POSITIVE_INFINITY)?.atMs ?? Number.POSITIVE_INFINITY) - this.#nowMs;
  }

  /** Resolves when a call is due within `withinMs`. */
  async waiting(withinMs: number): Promise<void> {
    while (this.#next(this.#nowMs + withinMs) === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onCall.push(resolve);
      await promise;
    }
  }

  #next(endMs: number): Call | undefined {
    let first: Call | undefined;
    for (const call of this.#calls)
      if (call.atMs <= endMs && (first === undefined || call.atMs < first.atMs)) first = call;
    return first;
  }
}
