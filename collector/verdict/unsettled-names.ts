// Connections that are allowed by a DNS name which the agent may still withdraw. They are evaluated again when it no longer
// can.

/** An agent compares replies with a query for 10 s, and its report takes some time. */
export const namesSettleUs = 12_000_000;

export class UnsettledNames {
  /** When the connection with that id is due, roughly in that order. */
  readonly #dueUs = new Map<string, number>();
  readonly #max: number;

  /** Keeps at most `max`, those that were added last. */
  constructor(max: number) {
    this.#max = max;
  }

  add(id: string, dueUs: number): void {
    this.#dueUs.delete(id);
    this.#dueUs.set(id, dueUs);
    if (this.#dueUs.size > this.#max) this.#dueUs.delete(this.#dueUs.keys().next().value!);
  }

  remove(id: string): void {
    this.#dueUs.delete(id);
  }

  /** Removes and returns the connections that are due, at most `maxConnections`. */
  due(nowUs: number, maxConnections: number): string[] {
    const due: string[] = [];
    for (const [id, dueUs] of this.#dueUs) {
      if (dueUs > nowUs || due.length >= maxConnections) break;
      this.#dueUs.delete(id);
      due.push(id);
    }
    return due;
  }

  hasDue(nowUs: number): boolean {
    const [first] = this.#dueUs.values();
    return first !== undefined && first <= nowUs;
  }
}
