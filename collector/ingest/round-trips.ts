// The round trips of one stream: the agent says how many messages of the collector it received, and how long ago the latest.
import type { WireClock } from '../../proto/wire.ts';

/** More messages than an agent leaves unanswered. */
const maxSent = 64;

export class RoundTrips {
  /** When the latest messages were sent. The last one is the message of that number. */
  #sentUs: number[] = [];
  #count = 0;

  /** Call when the collector sends a message. */
  sent(nowUs: number): void {
    this.#count += 1;
    this.#sentUs.push(nowUs);
    if (this.#sentUs.length > maxSent) this.#sentUs.shift();
  }

  /** When the latest message was sent; 0 if there was none. */
  get latestUs(): number {
    return this.#sentUs.at(-1) ?? 0;
  }

  /** Undefined if the message does not say it, or reports an impossible count. */
  of(clock: WireClock | null | undefined, nowUs: number): number | undefined {
    if (!clock || clock.acks === 0) return undefined;
    const sentUs = this.#sentUs[this.#sentUs.length - 1 - (this.#count - clock.acks)];
    return sentUs === undefined ? undefined : Math.max(0, nowUs - sentUs - clock.sinceAckUs);
  }
}
