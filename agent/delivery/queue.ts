// Batches that the collector has not acknowledged. Bounded in records and names; what overflows is counted, oldest first.
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
  /** The books count as interfaces do. */
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
   * All records of one drain, and names of the same time (at most proto's mostNames): what was seen before `coveredUntilUs`
   * is in them or was put before. Names go ahead, so that they are known when the connections that follow them are judged.
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

  /** Everything not acknowledged after `sequence`, oldest first. */
  *after(sequence: number): Generator<QueuedBatch> {
    for (const batch of this.#batches.values()) if (batch.sequence > sequence) yield batch;
  }

  acknowledge(sequence: number): void {
    const batch = this.#remove(sequence);
    if (batch !== undefined) this.#accounting.stored(batch.frames, batch.bytes);
  }

  /** The collector will never store it: it is lost, and counted. */
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
