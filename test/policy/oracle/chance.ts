// A random generator with a seed: the same seed gives the same values (mulberry32).
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to `below - 1`. */
  number(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** True once in `inTimes` calls, on average. */
  once(inTimes: number): boolean {
    return this.number(inTimes) === 0;
  }

  one<Item>(items: readonly Item[]): Item {
    return items[this.number(items.length)]!;
  }

  some<Item>(items: readonly Item[]): Item[] {
    return items.filter(() => this.once(2));
  }

  /** A list of `min` to `max` results of `make`. */
  list<Item>(min: number, max: number, make: (index: number) => Item): Item[] {
    return Array.from({ length: min + this.number(max - min + 1) }, (_, index) => make(index));
  }
}
