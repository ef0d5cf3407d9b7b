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

/** A JSON array, one item a line. Ends with an error after `maxMs`, so a slow reader does not block others. */
export function jsonArray<Item>(items: readonly Item[], json: (item: Item) => object, maxMs: number): Readable {
  const stream = Readable.from(chunks(items, json), { objectMode: false, highWaterMark: chunkCharacters });
  const timer = setTimeout(() => stream.destroy(new Error('the reader took too long')), maxMs);
  timer.unref();
  stream.on('close', () => clearTimeout(timer));
  return stream;
}

function* chunks<Item>(items: readonly Item[], json: (item: Item) => object): Generator<string> {
  let text = '[';
  for (const [i, item] of items.entries()) {
    text += `${i === 0 ? '\n' : ',\n'}${escapeJson(JSON.stringify(json(item)))}`;
    if (text.length < chunkCharacters) continue;
    yield text;
    text = '';
  }
  yield `${text}\n]\n`;
}
