// Shares the main thread between agents. Work of different agents takes turns, one turn at a time, so that the work of one
// agent waits for at most one turn of each other one (start-time fair queueing). An agent with more work waits for itself.

type Waiting = { start: number; cost: number; begin(): void };

export class FairTurns {
  readonly #schedule: (run: () => void) => void;
  /** The waiting work of each agent, oldest first. */
  readonly #waiting = new Map<string, Waiting[]>();
  /** The virtual time at which the last work of the agent ends. */
  readonly #ends = new Map<string, number>();
  #virtualTime = 0;
  #scheduled = false;

  /** `schedule` runs other events of the program before `run`. */
  constructor(schedule: (run: () => void) => void = setImmediate) {
    this.#schedule = schedule;
  }

  /**
   * Resolves when it is the agent's turn. What runs in the same task is the turn, so do not wait in it. `cost` compares
   * turns: an agent whose turns cost twice as much gets half as many.
   */
  take(agent: string, cost: number): Promise<void> {
    return new Promise((begin) => {
      const start = Math.max(this.#virtualTime, this.#ends.get(agent) ?? 0);
      this.#ends.set(agent, start + cost);
      const queue = this.#waiting.get(agent) ?? [];
      queue.push({ start, cost, begin });
      this.#waiting.set(agent, queue);
      this.#scheduleNext();
    });
  }

  #scheduleNext(): void {
    if (this.#scheduled || this.#waiting.size === 0) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      this.#runNext();
      this.#scheduleNext();
    });
  }

  #runNext(): void {
    let [nextAgent, next]: [string, Waiting | undefined] = ['', undefined];
    for (const [agent, queue] of this.#waiting) {
      if (next === undefined || queue[0]!.start < next.start) [nextAgent, next] = [agent, queue[0]!];
    }
    if (next === undefined) return;
    const queue = this.#waiting.get(nextAgent)!;
    queue.shift();
    this.#virtualTime = next.start;
    if (queue.length === 0) {
      this.#waiting.delete(nextAgent);
      this.#forgetIdle();
    }
    next.begin();
  }

  /** Without waiting work, an agent's past does not count. */
  #forgetIdle(): void {
    for (const [agent, end] of this.#ends) {
      if (end <= this.#virtualTime && !this.#waiting.has(agent)) this.#ends.delete(agent);
    }
  }
}
