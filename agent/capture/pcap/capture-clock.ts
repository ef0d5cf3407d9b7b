// The times in capture files as one clock that never goes back. Clocks are set while a capture runs, and a few packets may
// have a wrong time. Neither may stop the ageing of connections, or end all of them.

/** A packet may be earlier than the one before by this time, or later, without a look at the packets after it. */
const maxStepUs = 30_000_000;
/** How long it took to set the clock back is not known. Afterwards, UDP is another connection, and TCP is not. */
const setBackTakesUs = 61_000_000;
/** So many packets after a jump decide whether the clock was set, or a few packets have a wrong time. */
export const maxPacketsAhead = 8;
/**
 * Of a file whose clock was set more often, every second span of the older half is forgotten. Times in it are converted like
 * those before it.
 */
const maxSpans = 10_000;

/** From this time of the clock on, the packets' own time is `offsetUs` less. */
type Span = { fromUs: number; offsetUs: number };

export class CaptureClock {
  /** The latest time of packets since the clock was last set, and of all packets; in their own time. */
  #lastUs = Number.NEGATIVE_INFINITY;
  #highestUs = Number.NEGATIVE_INFINITY;
  #offsetUs = 0;
  #nowUs = 0;
  #spans: Span[] = [];
  /** No packet of the file was read: its time may be any. */
  #isFileNew = false;
  /** How often the clock was set back, and packets whose time fits neither the packets before nor those after. */
  readonly counts = { setBack: 0, outliers: 0 };

  get nowUs(): number {
    return this.#nowUs;
  }

  /** What to add to the packets' own time to get this clock's. */
  get offsetUs(): number {
    return this.#offsetUs;
  }

  /** hot, once a packet. Whether the time is far from that of the packets before: then the packets after it decide. */
  isJump(timeUs: number): boolean {
    return Math.abs(timeUs - this.#lastUs) > maxStepUs && this.#lastUs !== Number.NEGATIVE_INFINITY;
  }

  /** Files of the same time are read one after the other. That is no clock that was set. */
  beginFile(): void {
    this.#isFileNew = true;
  }

  get wasSetBack(): boolean {
    return this.#spans.length > 0;
  }

  /** hot, once a packet. Goes on to the packet's time, and returns it on this clock. */
  advance(timeUs: number): number {
    this.#isFileNew = false;
    if (timeUs > this.#lastUs) {
      this.#lastUs = timeUs;
      if (timeUs > this.#highestUs) this.#highestUs = timeUs;
      this.#nowUs = Math.max(this.#nowUs, timeUs + this.#offsetUs);
    }
    return timeUs + this.#offsetUs;
  }

  /**
   * The time of a packet that `isJump`, on this clock; undefined if more of the packets after it are needed. `nextUs` are their
   * times. If one of them is back at the time before, this packet gets that time, too.
   */
  resolve(jumpUs: number, nextUs: readonly number[], following: 'more-may-follow' | 'no-more'): number | undefined {
    if (nextUs.some((timeUs) => this.#isBack(jumpUs, timeUs))) {
      this.counts.outliers += 1;
      return this.#nowUs;
    }
    if (following === 'more-may-follow') return undefined;
    // A gap between two packets is time that passed, unless the clock returns to where it was before it was set back.
    let offsetUs = this.#offsetUs;
    if (jumpUs < this.#lastUs) {
      if (!this.#isFileNew) this.counts.setBack += 1;
      offsetUs = this.#nowUs + setBackTakesUs - jumpUs;
    } else if (jumpUs >= this.#highestUs - maxStepUs) offsetUs = Math.max(0, this.#nowUs + 1 - jumpUs);
    this.#setOffset(offsetUs, jumpUs);
    this.#lastUs = Number.NEGATIVE_INFINITY;
    return this.advance(jumpUs);
  }

  /** From this clock to the packets' own time. */
  packetTime(clockUs: number): number {
    const spans = this.#spans;
    if (spans.length === 0) return clockUs;
    let [low, high] = [0, spans.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (spans[middle]!.fromUs <= clockUs) low = middle + 1;
      else high = middle;
    }
    return clockUs - (spans[low - 1]?.offsetUs ?? 0);
  }

  /** Whether `timeUs` continues the time before the jump, and not that of the jump. */
  #isBack(jumpUs: number, timeUs: number): boolean {
    return timeUs >= this.#lastUs - maxStepUs && (jumpUs < this.#lastUs || timeUs < jumpUs - maxStepUs);
  }

  #setOffset(offsetUs: number, jumpUs: number): void {
    if (offsetUs === this.#offsetUs) return;
    this.#offsetUs = offsetUs;
    this.#spans.push({ fromUs: jumpUs + offsetUs, offsetUs });
    if (this.#spans.length > maxSpans) this.#spans = this.#spans.filter((_, at) => at % 2 === 0 || at > maxSpans / 2);
  }
}
