// The collector's clock minus an agent's: the smallest difference between the times of receiving and sending, because
// network delay only makes it larger. Two time windows follow clocks that drift. A round trip bounds the delay of a message:
// if the agent's clock fell behind, because its machine was paused, the next round trip shows it.

const windowUs = 60_000_000;

/** Times in µs. `roundTripUs`: from the collector's last message to this one, without the time the agent took; if known. */
export type Received = { sentUs: number; receivedUs: number; roundTripUs: number | undefined };

export class ClockOffset {
  #windowStartUs = 0;
  #smallest = Number.POSITIVE_INFINITY;
  #smallestBefore = Number.POSITIVE_INFINITY;
  #lastSentUs = 0;

  /** Call for each message of one agent, in the order of sending. Returns the current offset. */
  observe({ sentUs, receivedUs, roundTripUs = Number.POSITIVE_INFINITY }: Received): number {
    const differenceUs = receivedUs - sentUs;
    // The message took no longer than the round trip, so the offset is at least this.
    const leastUs = differenceUs - Math.max(0, roundTripUs);
    // Only older agents have a clock that steps back.
    const steppedBack = sentUs < this.#lastSentUs;
    this.#lastSentUs = sentUs;
    if (steppedBack || Math.min(this.#smallest, this.#smallestBefore) < leastUs) this.#forget();
    if (receivedUs - this.#windowStartUs > windowUs) {
      this.#smallestBefore = this.#smallest;
      this.#smallest = Number.POSITIVE_INFINITY;
      this.#windowStartUs = receivedUs;
    }
    this.#smallest = Math.min(this.#smallest, differenceUs);
    return Math.min(this.#smallest, this.#smallestBefore);
  }

  #forget(): void {
    this.#smallest = this.#smallestBefore = Number.POSITIVE_INFINITY;
  }
}
