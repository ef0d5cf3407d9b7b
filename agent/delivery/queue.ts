// Batches that the collector has not acknowledged yet. If there are too many records, the oldest batch is dropped and
// counted.
import type { PacketAccounting } from '../../accounting/accounting.ts';
import type { DnsAnswer } from '../../model/dns-answer.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { encodeDnsNames } from '../../proto/dns-names.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { type PackedBatch, packBatch } from '../../proto/pack.ts';

export type QueuedBatch = {
  sequence: number;
  coveredUntilUs: number;
  packed: PackedBatch;
  /** Records and names. */
  count: number;
  /** Packets as the interface counts them; the packet accounting uses the same unit. */
  frames: number;
  bytes: number;
};
export type QueueLimits = { maxBatchRecords: number; maxQueuedRecords: number };

export class BatchQueue {
  readonly #accounting: PacketAccounting;
  readonly #limits: QueueLimits;
  readonly #batches = new Map<number, QueuedBatch>();
  #queuedCount = 0;
  #sequence = 0;
  #coveredUntilUs = 0;

  constructor(accounting: PacketAccounting, limits: QueueLimits) {
    this.#accounting = accounting;
    this.#limits = limits;
  }

  /**
   * Adds all records of one drain, and DNS names of the same time (at most maxDnsNames). All packets from before
   * `coveredUntilUs` are then in the queue or were sent. Names are in the first batch, so that the collector knows them
   * when it evaluates the connections that follow.
   */
  enqueue(records: readonly ConnectionRecord[], names: readonly DnsAnswer[], coveredUntilUs: number): void {
    const size = this.#limits.maxBatchRecords;
    for (let from = 0; from < records.length || (from === 0 && names.length > 0); from += size) {
      const last = from + size >= records.length;
      const until = last ? coveredUntilUs : this.#coveredUntilUs;
      this.#add(records.slice(from, from + size), from === 0 ? names : [], until);
    }
    this.#coveredUntilUs = coveredUntilUs;
    while (this.#queuedCount > this.#limits.maxQueuedRecords) this.#dropOldest();
  }

  /** The batches after `sequence` that are not acknowledged, oldest first. */
  *after(sequence: number): Generator<QueuedBatch> {
    for (const batch of this.#batches.values()) if (batch.sequence > sequence) yield batch;
  }

  acknowledge(sequence: number): void {
    const batch = this.#remove(sequence);
    if (batch !== undefined) this.#accounting.stored(batch.frames, batch.bytes);
  }

  /** The collector refused the batch: it is counted as lost. */
  reject(sequence: number): void {
    const batch = this.#remove(sequence);
    if (batch !== undefined) this.#accounting.lost('rejected', batch.frames, batch.bytes);
  }

  get coveredUntilUs(): number {
    return this.#coveredUntilUs;
  }

  get unacknowledged(): { batches: number; records: number } {
    return { batches: this.#batches.size, records: this.#queuedCount };
  }

  #add(records: readonly ConnectionRecord[], names: readonly DnsAnswer[], coveredUntilUs: number): void {
    this.#sequence += 1;
    const frames = records.reduce((sum, record) => sum + record.frames, 0);
    const bytes = records.reduce((sum, record) => sum + record.bytes.forward + record.bytes.reverse, 0);
    this.#batches.set(this.#sequence, {
      sequence: this.#sequence,
      coveredUntilUs,
      packed: packBatch(encodeRecords(records), encodeDnsNames(names)),
      count: records.length + names.length,
      frames,
      bytes,
    });
    this.#queuedCount += records.length + names.length;
  }

  #dropOldest(): void {
    const oldest = this.#remove(this.#batches.keys().next().value!);
    if (oldest !== undefined) this.#accounting.lost('queue-full', oldest.frames, oldest.bytes);
  }

  #remove(sequence: number): QueuedBatch | undefined {
    const batch = this.#batches.get(sequence);
    if (batch === undefined) return undefined;
    this.#batches.delete(sequence);
    this.#queuedCount -= batch.count;
    return batch;
  }
}
