// The difference between the collector's clock and an agent's: the smallest of many differences between receiving and
// sending, since every delay on the way only makes it larger. Two windows let it follow a clock that drifts.

const windowUs = 60_000_000;

export class ClockOffset {
  #windowStartUs = 0;
  #smallest = Number.POSITIVE_INFINITY;
  #smallestBefore = Number.POSITIVE_INFINITY;

  /** `differenceUs` is the time of receiving here minus the time of sending there. Returns the offset known by now. */
  observe(differenceUs: number, nowUs: number): number {
    if (nowUs - this.#windowStartUs > windowUs) {
      this.#smallestBefore = this.#smallest;
      this.#smallest = Number.POSITIVE_INFINITY;
      this.#windowStartUs = nowUs;
    }
    this.#smallest = Math.min(this.#smallest, differenceUs);
    return Math.min(this.#smallest, this.#smallestBefore);
  }
}
