// The collector's clock minus an agent's: the smallest difference between the times of receiving and sending, because
// network delay only makes it larger. Two time windows follow a clock that drifts.

const windowUs = 60_000_000;

export class ClockOffset {
  #windowStartUs = 0;
  #smallest = Number.POSITIVE_INFINITY;
  #smallestBefore = Number.POSITIVE_INFINITY;

  /** `differenceUs`: time received (collector) minus time sent (agent). Returns the current offset. */
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
