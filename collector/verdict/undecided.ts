// Connections with an end that nobody owned as far as the API server told by then: it tells a pod's address some time
// after the pod has it, so they are judged again for a while.
import type { Joined } from '../../model/joined.ts';

const againEveryUs = 500_000;

export class Undecided {
  readonly #waiting = new Map<string, { joined: Joined; againUs: number }>();
  readonly #patienceUs: number;
  readonly #limit: number;

  constructor(patienceUs: number, limit: number) {
    this.#patienceUs = patienceUs;
    this.#limit = limit;
  }

  /** Whether the connection is young enough for an owner to appear; it is judged again soon then. */
  await(joined: Joined, nowUs: number): boolean {
    if (nowUs - joined.startUs > this.#patienceUs || this.#waiting.size >= this.#limit) {
      this.#waiting.delete(joined.id);
      return false;
    }
    // In the order of their times.
    this.#waiting.delete(joined.id);
    this.#waiting.set(joined.id, { joined, againUs: nowUs + againEveryUs });
    return true;
  }

  decided(id: string): void {
    this.#waiting.delete(id);
  }

  /** At most so many; they are waited for no more. */
  due(nowUs: number, most: number): Joined[] {
    const due: Joined[] = [];
    for (const [id, { joined, againUs }] of this.#waiting) {
      if (againUs > nowUs || due.length >= most) break;
      this.#waiting.delete(id);
      due.push(joined);
    }
    return due;
  }

  get size(): number {
    return this.#waiting.size;
  }
}
