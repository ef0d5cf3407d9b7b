// The books of one agent: what the capture counted equals what went into records, plus what was set aside, plus what
// was lost, by reason; in packets, and in the bytes of their frames.
import type { LossReason, SetAsideReason } from './reasons.ts';

export type Account = {
  /** What the capture source saw, and what it lost. */
  seen: number;
  /** In records that the collector acknowledged as stored. */
  stored: number;
  /** In live connections, or in records not acknowledged yet. */
  held: number;
  setAside: Partial<Record<SetAsideReason, number>>;
  lost: Partial<Record<LossReason, number>>;
};

/** Packets; and bytes, in which what libpcap dropped is missing, since nobody knows its length. */
export type BooksSnapshot = Account & { bytes: Account };

export class Books {
  readonly #packets = new Ledger();
  readonly #bytes = new Ledger();

  seen(packets: number, bytes: number): void {
    this.#packets.seen += packets;
    this.#bytes.seen += bytes;
  }

  stored(packets: number, bytes: number): void {
    this.#packets.stored += packets;
    this.#bytes.stored += bytes;
  }

  setAside(reason: SetAsideReason, packets: number, bytes: number): void {
    add(this.#packets.setAside, reason, packets);
    add(this.#bytes.setAside, reason, bytes);
  }

  lost(reason: LossReason, packets: number, bytes: number): void {
    add(this.#packets.lost, reason, packets);
    add(this.#bytes.lost, reason, bytes);
  }

  snapshot(): BooksSnapshot {
    return { ...this.#packets.account(), bytes: this.#bytes.account() };
  }
}

/** Of one unit. */
class Ledger {
  seen = 0;
  stored = 0;
  readonly setAside: Account['setAside'] = {};
  readonly lost: Account['lost'] = {};

  account(): Account {
    const { seen, stored, setAside, lost } = this;
    const held = seen - stored - sum(setAside) - sum(lost);
    return { seen, stored, held, setAside: { ...setAside }, lost: { ...lost } };
  }
}

function add<Reason extends string>(to: Partial<Record<Reason, number>>, reason: Reason, amount: number): void {
  if (amount > 0) to[reason] = (to[reason] ?? 0) + amount;
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce((total: number, count) => total + (count ?? 0), 0);
}
