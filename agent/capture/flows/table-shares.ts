// Which connection gets a row if the table is full (docs/decisions/0025-table-shares.md). No interface takes the share of
// another one, and connections without an answer lose their rows first, those of the interface that has most of them.
import { bit, type FlowColumns, keyStride } from './flow-columns.ts';
import { type Newcomer, newcomers } from './newcomer.ts';

/** Rows beyond `maxConnections`, for interfaces that have less than their share: this part of it. */
const reservePart = 8;
/** The reserve is divided by at least this number, so that a share does not change with each new interface. */
const minInterfaces = 64;
/** Rows that an interface may take over in one interval, for newcomers of each kind: this part of the table. */
const takeoverPart = 20;

/** Instead of a row in the lists. */
const none = -1;
const notLinked = -2;

/** `unanswered`: rows whose connection is not answered, or not confirmed by its initiator. */
export type Holding = { interfaceIndex: number; rows: number; unanswered: number };

type Holder = Holding & {
  isWatched: boolean;
  /** The list of its unanswered rows. */
  oldest: number;
  newest: number;
  /** Rows taken over in this interval. */
  takenOver: Record<Newcomer, number>;
  /** Ended records that wait for the next drain. */
  endedRecords: number;
};

export class TableShares {
  readonly maxRows: number;
  readonly #rows: FlowColumns;
  readonly #maxConnections: number;
  readonly #reserve: number;
  readonly #evict: (row: number) => void;
  readonly #holders = new Map<number, Holder>();
  #watched = 0;
  /** The interface with the most unanswered rows, and how many it had when it was chosen. */
  #largest: { holder: Holder; unanswered: number } | undefined;

  /** `evict` must free the row. */
  constructor(rows: FlowColumns, maxConnections: number, evict: (row: number) => void) {
    this.#rows = rows;
    this.#maxConnections = maxConnections;
    this.#reserve = Math.ceil(maxConnections / reservePart);
    this.maxRows = maxConnections + this.#reserve;
    this.#evict = evict;
  }

  watch(interfaceIndex: number): void {
    const holder = this.#holderOf(interfaceIndex);
    if (!holder.isWatched) this.#watched += 1;
    holder.isWatched = true;
  }

  forget(interfaceIndex: number): void {
    const holder = this.#holders.get(interfaceIndex);
    if (holder === undefined) return;
    if (holder.isWatched) this.#watched -= 1;
    holder.isWatched = false;
    this.#dropIfEmpty(holder);
  }

  /** Each interface with its rows. */
  holdings(): Iterable<Holding> {
    return this.#holders.values();
  }

  /** Whether a new connection gets a row. May evict another one for it. */
  admits(interfaceIndex: number, newcomer: Newcomer): boolean {
    const { used } = this.#rows;
    if (used < this.#maxConnections) return true;
    const holder = this.#holderOf(interfaceIndex);
    if (holder.rows < this.#share && used < this.maxRows) return true;
    const victim = this.#victimFor(holder);
    if (victim === undefined) return false;
    const isOwn = victim === holder && newcomer === 'unanswered';
    if (holder.takenOver[newcomer] >= (isOwn ? this.#share : this.#maxTakenOver)) return false;
    // Not yet reported: the old row is worth as much as the new one.
    if (isOwn && (this.#rows.state[victim.oldest]! & bit.reported) === 0) return false;
    holder.takenOver[newcomer] += 1;
    this.#evict(victim.oldest);
    return true;
  }

  /** A connection, which is not answered yet, gets the row. */
  enter(row: number): void {
    const holder = this.#holderAt(row);
    holder.rows += 1;
    this.#link(holder, row);
  }

  /** Another connection on the same ports gets the row. */
  enterAgain(row: number): void {
    const holder = this.#holderAt(row);
    this.#unlink(holder, row);
    this.#link(holder, row);
  }

  /** The connection of the row is answered. */
  confirm(row: number): void {
    this.#unlink(this.#holderAt(row), row);
  }

  /** Call it before the row is free. */
  leave(row: number): void {
    const holder = this.#holderAt(row);
    this.#unlink(holder, row);
    holder.rows -= 1;
    this.#dropIfEmpty(holder);
  }

  /** Whether an ended record may wait for the next drain; `waiting` do so already. */
  admitsEnded(interfaceIndex: number, waiting: number): boolean {
    const holder = this.#holderOf(interfaceIndex);
    if (waiting >= this.#maxConnections && holder.endedRecords >= this.#share) return false;
    holder.endedRecords += 1;
    return true;
  }

  /** After a drain. */
  beginInterval(): void {
    this.#largest = undefined;
    for (const holder of this.#holders.values()) {
      for (const newcomer of newcomers) holder.takenOver[newcomer] = 0;
      holder.endedRecords = 0;
      this.#dropIfEmpty(holder);
    }
  }

  get #share(): number {
    return Math.max(1, Math.floor(this.#reserve / Math.max(minInterfaces, this.#watched)));
  }

  get #maxTakenOver(): number {
    return Math.max(this.#share, Math.floor(this.#maxConnections / takeoverPart));
  }

  /** Another interface loses a row only if it has more unanswered rows, and more than its share. */
  #victimFor(holder: Holder): Holder | undefined {
    const { holder: largest } = this.#findLargest() ?? { holder };
    if (largest.unanswered > holder.unanswered && largest.rows > this.#share) return largest;
    return holder.unanswered > 0 ? holder : undefined;
  }

  #findLargest() {
    const known = this.#largest;
    if (known !== undefined && known.holder.unanswered > known.unanswered / 2) return known;
    this.#largest = undefined;
    for (const holder of this.#holders.values()) {
      const { unanswered } = holder;
      if (unanswered > (this.#largest?.unanswered ?? 0)) this.#largest = { holder, unanswered };
    }
    return this.#largest;
  }

  #link(holder: Holder, row: number): void {
    const { earlier, later } = this.#rows;
    earlier[row] = holder.newest;
    later[row] = none;
    if (holder.newest >= 0) later[holder.newest] = row;
    else holder.oldest = row;
    holder.newest = row;
    holder.unanswered += 1;
  }

  #unlink(holder: Holder, row: number): void {
    const { earlier, later } = this.#rows;
    const [before, after] = [earlier[row]!, later[row]!];
    if (after === notLinked) return;
    later[row] = notLinked;
    if (before >= 0) later[before] = after;
    else holder.oldest = after;
    if (after >= 0) earlier[after] = before;
    else holder.newest = before;
    holder.unanswered -= 1;
  }

  #holderAt(row: number): Holder {
    return this.#holderOf(this.#rows.key[row * keyStride + 10]!);
  }

  #holderOf(interfaceIndex: number): Holder {
    const known = this.#holders.get(interfaceIndex);
    if (known !== undefined) return known;
    const fresh: Holder = {
      interfaceIndex,
      rows: 0,
      unanswered: 0,
      isWatched: false,
      oldest: none,
      newest: none,
      takenOver: { unanswered: 0, 'half-open': 0, answered: 0 },
      endedRecords: 0,
    };
    this.#holders.set(interfaceIndex, fresh);
    return fresh;
  }

  /** Interfaces come and go for as long as the agent runs. */
  #dropIfEmpty(holder: Holder): void {
    if (holder.rows > 0 || holder.isWatched || holder.endedRecords > 0) return;
    this.#holders.delete(holder.interfaceIndex);
    if (this.#largest?.holder === holder) this.#largest = undefined;
  }
}
