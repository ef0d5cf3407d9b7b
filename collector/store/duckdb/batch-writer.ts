// Writes batches. Those that arrive at the same time share one transaction, because each costs a synced write. If it
// fails, each agent's batches are tried alone, so that a batch of one agent cannot stop those of the others.
import { reasonOf } from '../../../model/reason.ts';
import type { StoredBatch } from '../store.ts';
import { appendBatchRow, type BatchRow, batchRowOf } from './batch-rows.ts';
import type { Statements } from './statements.ts';
import type { StoredSequences } from './stored-sequences.ts';
import { inTransaction } from './transaction.ts';

type PendingBatch = { batch: StoredBatch; row: BatchRow; resolve(isNew: boolean): void; reject(error: unknown): void };

export class BatchWriter {
  readonly #statements: Statements;
  readonly #stored: StoredSequences;
  #pending: PendingBatch[] = [];

  constructor(statements: Statements, stored: StoredSequences) {
    this.#statements = statements;
    this.#stored = stored;
  }

  /** As `Store.putBatch`. */
  put(batch: StoredBatch): Promise<boolean | { refused: string }> {
    let row: BatchRow;
    try {
      row = batchRowOf(batch);
    } catch (error) {
      return Promise.resolve({ refused: `the batch cannot be stored: ${reasonOf(error)}` });
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ batch, row, resolve, reject });
      if (this.#pending.length === 1) void this.#statements.run(() => this.#writePending());
    });
  }

  async #writePending(): Promise<void> {
    const group = this.#pending;
    this.#pending = [];
    const fresh = this.#withoutDuplicates(group);
    const error = await this.#write(fresh);
    if (error === undefined) return;
    const byAgent = Map.groupBy(fresh, ({ batch }) => agentKey(batch));
    if (byAgent.size === 1) for (const one of fresh) one.reject(error);
    else for (const own of byAgent.values()) await this.#writeAlone(own);
  }

  /** Resolves the batches that are stored already, or twice in the group; returns the others. */
  #withoutDuplicates(group: readonly PendingBatch[]): PendingBatch[] {
    const firsts = new Map<string, PendingBatch>();
    for (const one of group) {
      const key = `${agentKey(one.batch)} ${one.batch.sequence}`;
      const first = firsts.get(key);
      if (this.#stored.has(one.batch)) one.resolve(false);
      else if (first === undefined) firsts.set(key, one);
      else resolveWith(first, one);
    }
    return [...firsts.values()];
  }

  async #writeAlone(own: readonly PendingBatch[]): Promise<void> {
    const error = await this.#write(own);
    if (error !== undefined) for (const one of own) one.reject(error);
  }

  /** All or nothing. Returns the error; without one, the batches are stored and resolved. */
  async #write(batches: readonly PendingBatch[]): Promise<unknown> {
    try {
      const { connection } = this.#statements;
      await inTransaction(connection, async () => {
        const appender = await connection.createAppender('batches');
        for (const { row } of batches) appendBatchRow(appender, row);
        appender.closeSync();
      });
    } catch (error) {
      return error ?? new Error('unknown error');
    }
    for (const { batch, resolve } of batches) {
      this.#stored.add(batch);
      resolve(true);
    }
    return undefined;
  }
}

/** The second of two equal batches of a group is a duplicate if the first one is stored. */
function resolveWith(first: PendingBatch, second: PendingBatch): void {
  const { resolve, reject } = first;
  first.resolve = (isNew) => {
    resolve(isNew);
    second.resolve(false);
  };
  first.reject = (error) => {
    reject(error);
    second.reject(error);
  };
}

function agentKey({ node, instance }: StoredBatch): string {
  return `${node} ${instance}`;
}
