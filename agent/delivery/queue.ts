// Batches that the collector has not acknowledged. Bounded in records and names; what overflows is counted, oldest first.
import type { Books } from '../../accounting/accounting.ts';
import type { NameAnswer } from '../../model/name-answer.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { encodeNames } from '../../proto/names.ts';
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
  readonly #books: Books;
  readonly #limits: QueueLimits;
  readonly #batches = new Map<number, QueuedBatch>();
  #queued = 0;
  #sequence = 0;
  #coveredUntilUs = 0;

  constructor(books: Books, limits: QueueLimits) {
    this.#books = books;
    this.#limits = limits;
  }

  /**
   * All records of one drain, and names of the same time (at most proto's mostNames): what was seen before `coveredUntilUs`
   * is in them or was put before. Names go ahead, so that they are known when the connections that follow them are judged.
   */
  put(records: readonly ConnectionRecord[], names: readonly NameAnswer[], coveredUntilUs: number): void {
    const size = this.#limits.maxBatchRecords;
    for (let from = 0; from < records.length || (from === 0 && names.length > 0); from += size) {
      const last = from + size >= records.length;
      const until = last ? coveredUntilUs : this.#coveredUntilUs;
      this.#add(records.slice(from, from + size), from === 0 ? names : [], until);
    }
    this.#coveredUntilUs = coveredUntilUs;
    while (this.#queued > this.#limits.maxQueuedRecords) this.#dropOldest();
  }

  /** Everything not acknowledged after `sequence`, oldest first. */
  *after(sequence: number): Generator<QueuedBatch> {
    for (const batch of this.#batches.values()) if (batch.sequence > sequence) yield batch;
  }

  acknowledge(sequence: number): void {
    const batch = this.#take(sequence);
    if (batch !== undefined) this.#books.stored(batch.frames, batch.bytes);
  }

  /** The collector will never store it: it is lost, and counted. */
  refuse(sequence: number): void {
    const batch = this.#take(sequence);
    if (batch !== undefined) this.#books.lost('rejected', batch.frames, batch.bytes);
  }

  get coveredUntilUs(): number {
    return this.#coveredUntilUs;
  }

  get unacknowledged(): { batches: number; records: number } {
    return { batches: this.#batches.size, records: this.#queued };
  }

  #add(records: readonly ConnectionRecord[], names: readonly NameAnswer[], coveredUntilUs: number): void {
    this.#sequence += 1;
    const frames = records.reduce((sum, record) => sum + record.frames, 0);
    const bytes = records.reduce((sum, record) => sum + record.bytes.forward + record.bytes.reverse, 0);
    this.#batches.set(this.#sequence, {
      sequence: this.#sequence,
      coveredUntilUs,
      packed: packBatch(encodeRecords(records), encodeNames(names)),
      count: records.length + names.length,
      frames,
      bytes,
    });
    this.#queued += records.length + names.length;
  }

  #dropOldest(): void {
    const oldest = this.#take(this.#batches.keys().next().value!);
    if (oldest !== undefined) this.#books.lost('queue-full', oldest.frames, oldest.bytes);
  }

  #take(sequence: number): QueuedBatch | undefined {
    const batch = this.#batches.get(sequence);
    if (batch === undefined) return undefined;
    this.#batches.delete(sequence);
    this.#queued -= batch.count;
    return batch;
  }
}
