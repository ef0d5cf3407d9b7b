// The events of a cluster source, in order; a test waits for the next ones.
import type { ClusterEvent } from '../../model/kubernetes.ts';

export class ClusterEvents {
  readonly all: ClusterEvent[] = [];
  #arrived = (): void => {};
  #taken = 0;

  /** The receiver of a source. */
  readonly receive = (event: ClusterEvent): void => {
    this.all.push(event);
    this.#arrived();
  };

  /** Resolves with the next `count` events when they are there. */
  async next(count: number): Promise<ClusterEvent[]> {
    while (this.all.length < this.#taken + count) {
      const arrival = Promise.withResolvers<void>();
      this.#arrived = arrival.resolve;
      await arrival.promise;
    }
    this.#taken += count;
    return this.all.slice(this.#taken - count, this.#taken);
  }
}
