// Batches that the collector has not acknowledged yet. If there are too many records, batches are dropped and counted. A
// batch in flight may be stored: whether it is lost is decided by the answer, or by the end of the stream.
import type { PacketAccounting } from '../../accounting/accounting.ts';
import { type DnsReport, dnsReportSize, emptyDnsReport } from '../../model/dns-answer.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { encodeDnsNames } from '../../proto/dns-names.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { type PackedBatch, packBatch } from '../../proto/pack.ts';

export type QueuedBatch = {
  sequence: number;
  coveredUntilUs: number;
  packed: PackedBatch;
  /** Records, and items of the DNS report. */
  count: number;
  /** Packets as the interface counts them; the packet accounting uses the same unit. */
  frames: number;
  bytes: number;
};
/** What the packet accounting needs of a batch. */
type BatchCounts = Pick<QueuedBatch, 'frames' | 'bytes'>;

export type QueueLimits = { maxBatchRecords: number; maxQueuedRecords: number };

export class BatchQueue {
  readonly #accounting: PacketAccounting;
  readonly #limits: QueueLimits;
  readonly #batches = new Map<number, QueuedBatch>();
  /** Sent on the open stream, and not answered yet. */
  readonly #inFlight = new Set<number>();
  /** In flight, and no longer in memory. */
  readonly #undecided = new Map<number, BatchCounts>();
  /** Sent on a stream that ended, so it may be stored. It is sent again, and then answered. */
  readonly #sentBefore = new Set<number>();
  #queuedCount = 0;
  #sequence = 0;
  #coveredUntilUs = 0;

  constructor(accounting: PacketAccounting, limits: QueueLimits) {
    this.#accounting = accounting;
    this.#limits = limits;
  }

  /**
   * Adds all records of one drain, and the DNS report of the same time (at most maxDnsNames answers). All packets from
   * before `coveredUntilUs` are then in the queue or were sent. The report is in the first batch, so that the collector
   * knows the names when it evaluates the connections that follow.
   */
  enqueue(records: readonly ConnectionRecord[], dns: DnsReport, coveredUntilUs: number): void {
    const size = this.#limits.maxBatchRecords;
    for (let from = 0; from < records.length || (from === 0 && dnsReportSize(dns) > 0); from += size) {
      const last = from + size >= records.length;
      const until = last ? coveredUntilUs : this.#coveredUntilUs;
      this.#add(records.slice(from, from + size), from === 0 ? dns : emptyDnsReport, until);
    }
    this.#coveredUntilUs = coveredUntilUs;
    while (this.#queuedCount > this.#limits.maxQueuedRecords) this.#drop();
  }

  /** The batches after `sequence`, oldest first, at most `max`. Each is in flight from then on: the caller sends it. */
  *after(sequence: number, max = Number.POSITIVE_INFINITY): Generator<QueuedBatch> {
    let left = max;
    for (const batch of this.#batches.values()) {
      if (left <= 0) return;
      if (batch.sequence <= sequence) continue;
      this.#inFlight.add(batch.sequence);
      left -= 1;
      yield batch;
    }
  }

  acknowledge(sequence: number): void {
    const batch = this.#settle(sequence);
    if (batch !== undefined) this.#accounting.stored(batch.frames, batch.bytes);
  }

  /** The collector refused the batch: it is counted as lost. */
  reject(sequence: number): void {
    const batch = this.#settle(sequence);
    if (batch !== undefined) this.#accounting.lost('rejected', batch.frames, batch.bytes);
  }

  /** Batches in flight get no answer any more. Those in memory are sent again on the next stream. */
  streamEnded(): void {
    for (const { frames, bytes } of this.#undecided.values()) this.#accounting.lost('queue-full', frames, bytes);
    this.#undecided.clear();
    for (const sequence of this.#inFlight) if (this.#batches.has(sequence)) this.#sentBefore.add(sequence);
    this.#inFlight.clear();
  }

  get coveredUntilUs(): number {
    return this.#coveredUntilUs;
  }

  /** Whether there is a batch after `sequence` that can be sent. */
  hasAfter(sequence: number): boolean {
    // Few are before it: those that were sent, and have no answer yet.
    for (const queued of this.#batches.keys()) if (queued > sequence) return true;
    return false;
  }

  /** `records` are those in memory. */
  get unacknowledged(): { batches: number; records: number } {
    return { batches: this.#batches.size + this.#undecided.size, records: this.#queuedCount };
  }

  #add(records: readonly ConnectionRecord[], dns: DnsReport, coveredUntilUs: number): void {
    this.#sequence += 1;
    const count = records.length + dnsReportSize(dns);
    const frames = records.reduce((sum, record) => sum + record.frames, 0);
    const bytes = records.reduce((sum, record) => sum + record.bytes.forward + record.bytes.reverse, 0);
    this.#batches.set(this.#sequence, {
      sequence: this.#sequence,
      coveredUntilUs,
      packed: packBatch(encodeRecords(records), encodeDnsNames(dns)),
      count,
      frames,
      bytes,
    });
    this.#queuedCount += count;
  }

  #drop(): void {
    const sequence = this.#leastNeeded();
    const { frames, bytes } = this.#remove(sequence)!;
    if (this.#inFlight.has(sequence)) this.#undecided.set(sequence, { frames, bytes });
    else this.#accounting.lost('queue-full', frames, bytes);
  }

  /** The oldest batch that is in flight; else the oldest that was never sent; else the oldest. */
  #leastNeeded(): number {
    for (const sequence of this.#inFlight) if (this.#batches.has(sequence)) return sequence;
    for (const sequence of this.#batches.keys()) if (!this.#sentBefore.has(sequence)) return sequence;
    return this.#batches.keys().next().value!;
  }

  /** Removes an answered batch. */
  #settle(sequence: number): BatchCounts | undefined {
    const batch = this.#remove(sequence) ?? this.#undecided.get(sequence);
    this.#inFlight.delete(sequence);
    this.#undecided.delete(sequence);
    return batch;
  }

  #remove(sequence: number): QueuedBatch | undefined {
    const batch = this.#batches.get(sequence);
    if (batch === undefined) return undefined;
    this.#batches.delete(sequence);
    this.#sentBefore.delete(sequence);
    this.#queuedCount -= batch.count;
    return batch;
  }
}
