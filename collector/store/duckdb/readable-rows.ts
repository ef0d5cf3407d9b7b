// Reads stored rows. A row that no program can show is skipped and counted, so that it does not stop the answers to
// everybody: an older version may have stored it.
import { maxShownUs } from '../../../model/json.ts';

/** Most distinct rows that are counted. */
const maxCounted = 10_000;

export class ReadableRows {
  readonly #unreadable = new Set<string>();
  readonly #onUnreadable: (row: string, reason: string) => void;

  /** `onUnreadable` is called once for each row. */
  constructor(onUnreadable: (row: string, reason: string) => void) {
    this.#onUnreadable = onUnreadable;
  }

  /** Distinct rows that could not be read. */
  get unreadable(): number {
    return this.#unreadable.size;
  }

  /** The items of the rows that `read` accepts. It throws for the others; `name` identifies a row. */
  read<Row, Item>(rows: readonly Row[], name: (row: Row) => string, read: (row: Row) => Item): Item[] {
    const items: Item[] = [];
    for (const row of rows) {
      try {
        items.push(read(row));
      } catch (error) {
        this.#skip(name(row), error instanceof Error ? error.message : String(error));
      }
    }
    return items;
  }

  #skip(name: string, reason: string): void {
    if (this.#unreadable.has(name) || this.#unreadable.size >= maxCounted) return;
    this.#unreadable.add(name);
    this.#onUnreadable(name, reason);
  }
}

/** Throws if one of the times cannot be shown as text. */
export function checkTimes(times: Readonly<Record<string, number>>): void {
  for (const [field, us] of Object.entries(times)) {
    if (typeof us !== 'number' || !(us >= 0 && us <= maxShownUs)) throw new Error(`${field} is ${us}`);
  }
}
