// The packet accounting of one agent, in packets and in bytes: seen = stored + pending + ignored + lost, the last two
// by reason.
import type { IgnoredReason, LossReason } from './reasons.ts';

export type PacketCounts = {
  /** All packets that the capture source saw or lost. */
  seen: number;
  /** In records that the collector acknowledged as stored. */
  stored: number;
  /** In live connections, or in records not acknowledged yet. */
  pending: number;
  ignored: Partial<Record<IgnoredReason, number>>;
  lost: Partial<Record<LossReason, number>>;
};

/** Counts of packets and of bytes. The bytes of packets that libpcap dropped are missing: their length is unknown. */
export type AccountingSnapshot = PacketCounts & { bytes: PacketCounts };

export class PacketAccounting {
  readonly #packets = new Counters();
  readonly #bytes = new Counters();

  seen(packets: number, bytes: number): void {
    this.#packets.seen += packets;
    this.#bytes.seen += bytes;
  }

  stored(packets: number, bytes: number): void {
    this.#packets.stored += packets;
    this.#bytes.stored += bytes;
  }

  ignored(reason: IgnoredReason, packets: number, bytes: number): void {
    add(this.#packets.ignored, reason, packets);
    add(this.#bytes.ignored, reason, bytes);
  }

  lost(reason: LossReason, packets: number, bytes: number): void {
    add(this.#packets.lost, reason, packets);
    add(this.#bytes.lost, reason, bytes);
  }

  snapshot(): AccountingSnapshot {
    return { ...this.#packets.snapshot(), bytes: this.#bytes.snapshot() };
  }
}

/** The counters of one unit: packets or bytes. */
class Counters {
  seen = 0;
  stored = 0;
  readonly ignored: PacketCounts['ignored'] = {};
  readonly lost: PacketCounts['lost'] = {};

  snapshot(): PacketCounts {
    const { seen, stored, ignored, lost } = this;
    const pending = seen - stored - sum(ignored) - sum(lost);
    return { seen, stored, pending, ignored: { ...ignored }, lost: { ...lost } };
  }
}

function add<Reason extends string>(to: Partial<Record<Reason, number>>, reason: Reason, amount: number): void {
  if (amount > 0) to[reason] = (to[reason] ?? 0) + amount;
}

function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce((total: number, count) => total + (count ?? 0), 0);
}
