// Large answers: a few at a time for each client, written in chunks, and with time limits for slow readers.
import { Readable } from 'node:stream';
import { escapeJson } from '../../model/escape.ts';

const chunkCharacters = 65_536;

export type AnswerLimits = {
  /** Answers that read the store at once, of all clients. */
  maxReading: number;
  /** Unfinished answers of one client. */
  maxRunning: number;
  /** Answers of one client that wait for others. */
  maxWaiting: number;
  /** An answer of which nothing is taken for this time is ended. */
  maxStallMs: number;
};

export const answerLimits: AnswerLimits = { maxReading: 4, maxRunning: 4, maxWaiting: 20, maxStallMs: 5_000 };

/** The right to write one answer. `readDone` lets others read the store; call `release` in any case. */
export type Slot = { readDone(): void; release(): void };

type ClientAnswers = { running: number; waiting: ((slot: Slot) => void)[] };

/** Clients take turns. One that does not read its answers delays only its own. */
export class ConcurrencyLimit {
  readonly #limits: AnswerLimits;
  /** In the order of their turns. */
  readonly #clients = new Map<string, ClientAnswers>();
  #reading = 0;

  constructor(limits: AnswerLimits) {
    this.#limits = limits;
  }

  /** Undefined if too many answers of the client wait. */
  acquire(client: string): Promise<Slot> | undefined {
    const answers = this.#clients.get(client) ?? { running: 0, waiting: [] };
    if (answers.waiting.length >= this.#limits.maxWaiting) return undefined;
    this.#clients.set(client, answers);
    return new Promise((resolve) => {
      answers.waiting.push(resolve);
      this.#grant();
    });
  }

  #grant(): void {
    while (this.#reading < this.#limits.maxReading) {
      const next = [...this.#clients].find(
        ([, { running, waiting }]) => waiting.length > 0 && running < this.#limits.maxRunning,
      );
      if (next === undefined) return;
      const [client, answers] = next;
      this.#clients.delete(client);
      this.#clients.set(client, answers);
      answers.waiting.shift()!(this.#slot(client, answers));
    }
  }

  #slot(client: string, answers: ClientAnswers): Slot {
    let [reads, open] = [true, true];
    this.#reading += 1;
    answers.running += 1;
    const readDone = () => {
      if (!reads) return;
      reads = false;
      this.#reading -= 1;
      this.#grant();
    };
    const release = () => {
      if (!open) return;
      open = false;
      answers.running -= 1;
      if (answers.running === 0 && answers.waiting.length === 0) this.#clients.delete(client);
      readDone();
      this.#grant();
    };
    return { readDone, release };
  }
}

/**
 * A JSON array, one item a line. Ends with an error after `maxMs`, so a slow reader does not block others. `onChunk` is
 * called when the reader takes more. An item that `json` throws for is left out, and reported to `onUnreadable`.
 */
export function jsonArray<Item>(
  items: readonly Item[],
  json: (item: Item) => object,
  maxMs: number,
  onChunk: () => void,
  onUnreadable: (error: unknown) => void,
): Readable {
  const stream = Readable.from(chunks(items, json, onChunk, onUnreadable), {
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
  onChunk: () => void,
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
    onChunk();
    yield text;
    text = '';
  }
  onChunk();
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
