// The books of one agent: what the capture counted equals what went into records, plus what was set aside, plus what
// was lost, by reason. Packets are the unit everywhere; records are told beside them.
import type { LossReason, SetAsideReason } from './reasons.ts';

export type BooksSnapshot = {
  /** Packets the capture source saw, those it lost included. */
  seen: number;
  /** Packets in records that the collector acknowledged as stored. */
  stored: number;
  /** Packets in live connections, or in records not acknowledged yet. */
  held: number;
  setAside: Partial<Record<SetAsideReason, number>>;
  lost: Partial<Record<LossReason, number>>;
};

export class Books {
  #seen = 0;
  #stored = 0;
  #setAside: Partial<Record<SetAsideReason, number>> = {};
  #lost: Partial<Record<LossReason, number>> = {};

  seen(packets: number): void {
    this.#seen += packets;
  }

  stored(packets: number): void {
    this.#stored += packets;
  }

  setAside(reason: SetAsideReason, packets: number): void {
    this.#setAside[reason] = (this.#setAside[reason] ?? 0) + packets;
  }

  lost(reason: LossReason, packets: number): void {
    if (packets > 0) this.#lost[reason] = (this.#lost[reason] ?? 0) + packets;
  }

  /** The sum of all losses, so that a stage can tell whether anything was lost since it last asked. */
  totalLost(): number {
    return sum(this.#lost);
  }

  snapshot(): BooksSnapshot {
    const settled = this.#stored + sum(this.#setAside) + sum(this.#lost);
    return {
      seen: this.#seen,
      stored: this.#stored,
      held: this.#seen - settled,
      setAside: { ...this.#setAside },
      lost: { ...this.#lost },
    };
  }
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce((total: number, count) => total + (count ?? 0), 0);
}
