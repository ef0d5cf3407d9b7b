// Converts times of the kernel's monotonic clock to our clock. Intervals of one connection are read at different moments, and
// must agree about its beginning to the microsecond: so the difference of the clocks stays the same as long as readings allow.

/** The kernel's clock, read between two readings of ours. */
export type ClockReading = { monotonicNs: number; beforeUs: number; afterUs: number };

/** If the difference of the clocks changed by more, our clock was set, or the kernel's stopped: the machine was suspended. */
const leastJumpUs = 50_000;
/** A time from before a jump is converted at most this many readings later: both tables of rows were read. */
const readingsAfterJump = 2;

export class KernelClock {
  #offsetUs: number;
  #latestNs: number;
  #beforeJump: { untilNs: number; offsetUs: number; readings: number } | undefined;

  constructor(first: ClockReading) {
    this.#offsetUs = (first.beforeUs + first.afterUs) / 2 - first.monotonicNs / 1000;
    this.#latestNs = first.monotonicNs;
  }

  update({ monotonicNs, beforeUs, afterUs }: ClockReading): void {
    const kernelUs = monotonicNs / 1000;
    const offsetUs = Math.min(Math.max(this.#offsetUs, beforeUs - kernelUs), afterUs - kernelUs);
    if (Math.abs(offsetUs - this.#offsetUs) > leastJumpUs) {
      this.#beforeJump = { untilNs: this.#latestNs, offsetUs: this.#offsetUs, readings: 0 };
    }
    if (this.#beforeJump !== undefined && ++this.#beforeJump.readings > readingsAfterJump) this.#beforeJump = undefined;
    this.#offsetUs = offsetUs;
    this.#latestNs = monotonicNs;
  }

  /** Whole µs since the epoch. */
  usOfNs(ns: number): number {
    const before = this.#beforeJump;
    const offsetUs = before !== undefined && ns <= before.untilNs ? before.offsetUs : this.#offsetUs;
    return Math.round(offsetUs + ns / 1000);
  }
}
