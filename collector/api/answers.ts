// Large answers: a few at a time, written in chunks, and with a time limit for slow readers.
import { Readable } from 'node:stream';
import { escapeJson } from '../../model/escape.ts';

const chunkCharacters = 65_536;

/** The right to write one answer. Call `release` once, also if the answer failed. */
export type Slot = { release(): void };

export class ConcurrencyLimit {
  readonly #maxSlots: number;
  #taken = 0;
  readonly #waiting: ((slot: Slot) => void)[] = [];

  constructor(maxSlots: number) {
    this.#maxSlots = maxSlots;
  }

  acquire(): Promise<Slot> {
    return new Promise((resolve) => {
      if (this.#taken < this.#maxSlots) this.#grant(resolve);
      else this.#waiting.push(resolve);
    });
  }

  #grant(resolve: (slot: Slot) => void): void {
    this.#taken += 1;
    let open = true;
    resolve({
      release: () => {
        if (!open) return;
        open = false;
        this.#taken -= 1;
        const next = this.#waiting.shift();
        if (next !== undefined) this.#grant(next);
      },
    });
  }
}

/**
 * A JSON array, one item a line. Ends with an error after `maxMs`, so a slow reader does not block others. An item that
 * `json` throws for is left out, and reported to `onUnreadable`.
 */
export function jsonArray<Item>(
  items: readonly Item[],
  json: (item: Item) => object,
  maxMs: number,
  onUnreadable: (error: unknown) => void,
): Readable {
  const stream = Readable.from(chunks(items, json, onUnreadable), {
    objectMode: false,
    highWaterMark: chunkCharacters,
  });
  const timer = setTimeout(() => stream.destroy(new Error('the reader took too long')), maxMs);
  timer.unref();
  stream.on('close', () => clearTimeout(timer));
  return stream;
}

function* chunks<Item>(
  items: readonly Item[],
  json: (item: Item) => object,
  onUnreadable: (error: unknown) => void,
): Generator<string> {
  let text = '[';
  let separator = '\n';
  for (const item of items) {
    const line = lineOf(item, json, onUnreadable);
    if (line === undefined) continue;
    text += `${separator}${line}`;
    separator = ',\n';
    if (text.length < chunkCharacters) continue;
    yield text;
    text = '';
  }
  yield `${text}\n]\n`;
}

/** The JSON of an item; undefined if `json` throws. */
export function lineOf<Item>(
  item: Item,
  json: (item: Item) => object,
  onUnreadable: (error: unknown) => void,
): string | undefined {
  try {
    return escapeJson(JSON.stringify(json(item)));
  } catch (error) {
    onUnreadable(error);
    return undefined;
  }
}
