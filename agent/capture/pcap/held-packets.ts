// Packets whose time is far from that of the packets before, until the packets after them decide which time is right.
import { type CaptureClock, maxPacketsAhead } from './capture-clock.ts';

export type HeldPacket = { timeUs: number; isFirstOfFile: boolean };

export class HeldPackets<Held extends HeldPacket> {
  readonly #clock: CaptureClock;
  readonly #release: (packet: Held, clockUs: number) => void;
  readonly #packets: Held[] = [];

  /** `release` gets the packets in their order, each with its time on the clock. */
  constructor(clock: CaptureClock, release: (packet: Held, clockUs: number) => void) {
    this.#clock = clock;
    this.#release = release;
  }

  /** hot, once a packet. Whether the packet must be held; otherwise the clock can advance to its time. */
  mustHold(timeUs: number): boolean {
    return this.#packets.length > 0 || this.#clock.isJump(timeUs);
  }

  add(packet: Held): void {
    this.#packets.push(packet);
    this.#releaseDecided('more-may-follow');
  }

  /** No packet follows. */
  end(): void {
    this.#releaseDecided('no-more');
  }

  #releaseDecided(following: 'more-may-follow' | 'no-more'): void {
    for (;;) {
      const [first] = this.#packets;
      if (first === undefined) return;
      const timeUs = this.#timeOf(first, following);
      if (timeUs === undefined) return;
      this.#packets.shift();
      this.#release(first, timeUs);
    }
  }

  #timeOf(first: Held, following: 'more-may-follow' | 'no-more'): number | undefined {
    if (first.isFirstOfFile) this.#clock.beginFile();
    if (!this.#clock.isJump(first.timeUs)) return this.#clock.advance(first.timeUs);
    const [next, limit] = this.#afterFirst();
    return this.#clock.resolve(
      first.timeUs,
      next.map(({ timeUs }) => timeUs),
      next.length < limit ? following : 'no-more',
    );
  }

  /**
   * The packets that decide about the first, and how many they can be. Files of the same time begin and end far from one
   * another: at these places, only the next packet decides.
   */
  #afterFirst(): [next: readonly Held[], limit: number] {
    const next = this.#packets.slice(1, 1 + maxPacketsAhead);
    const nextFile = next.findIndex(({ isFirstOfFile }) => isFirstOfFile);
    const limit = this.#packets[0]!.isFirstOfFile ? 1 : nextFile < 0 ? maxPacketsAhead : Math.max(1, nextFile);
    return [next.slice(0, limit), limit];
  }
}
