// Answers that may be large: few at a time, written piece by piece, and none held open for ever by a slow reader.
import { Readable } from 'node:stream';

const pieceCharacters = 65_536;

/** A place in the line of answers: `done` is called once, whatever became of the answer. */
export type Turn = { done(): void };

export class Turns {
  readonly #most: number;
  #taken = 0;
  readonly #waiting: ((turn: Turn) => void)[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  take(): Promise<Turn> {
    return new Promise((resolve) => {
      if (this.#taken < this.#most) this.#give(resolve);
      else this.#waiting.push(resolve);
    });
  }

  #give(to: (turn: Turn) => void): void {
    this.#taken += 1;
    let open = true;
    to({
      done: () => {
        if (!open) return;
        open = false;
        this.#taken -= 1;
        const next = this.#waiting.shift();
        if (next !== undefined) this.#give(next);
      },
    });
  }
}

/** A JSON array, an item a line. Given up after `limitMs`, so that whoever reads no further holds nothing up. */
export function jsonArray<Item>(items: readonly Item[], json: (item: Item) => object, limitMs: number): Readable {
  const stream = Readable.from(pieces(items, json), { objectMode: false, highWaterMark: pieceCharacters });
  const limit = setTimeout(() => stream.destroy(new Error('the reader took too long')), limitMs);
  limit.unref();
  stream.on('close', () => clearTimeout(limit));
  return stream;
}

function* pieces<Item>(items: readonly Item[], json: (item: Item) => object): Generator<string> {
  let text = '[';
  for (const [i, item] of items.entries()) {
    text += `${i === 0 ? '\n' : ',\n'}${JSON.stringify(json(item))}`;
    if (text.length < pieceCharacters) continue;
    yield text;
    text = '';
  }
  yield `${text}\n]\n`;
}
