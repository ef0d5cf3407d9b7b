// What the agent tells of itself: its source, its interfaces, its books. A new object only when there is news, since
// the stream sends it then.
import type { Account, BooksSnapshot } from '../accounting/accounting.ts';
import type { AgentState, WireAccount, WireInterface } from '../proto/wire.ts';

/** Books change with every packet; they are told this often. */
const booksEveryUs = 1_000_000;

export type StateNews = {
  source: () => { name: string; reason: string };
  interfaces: () => WireInterface[];
  notWatched: () => string[];
  nodeAddresses: () => string[];
  books: () => BooksSnapshot;
};

export class StateTeller {
  readonly #version: string;
  readonly #news: StateNews;
  #told: AgentState | undefined;
  #booksUs = 0;
  #nodeAddresses: string[] = [];

  constructor(version: string, news: StateNews) {
    this.#version = version;
    this.#news = news;
  }

  at(nowUs: number): AgentState {
    const interfaces = this.#news.interfaces();
    const notWatched = this.#news.notWatched();
    const booksDue = nowUs - this.#booksUs >= booksEveryUs;
    const isSame = this.#told?.interfaces === interfaces && this.#told.notWatched === notWatched;
    if (this.#told !== undefined && isSame && !booksDue) return this.#told;
    const books = this.#news.books();
    this.#booksUs = nowUs;
    const source = this.#news.source();
    if (booksDue) this.#nodeAddresses = this.#news.nodeAddresses();
    this.#told = {
      version: this.#version,
      source: source.name,
      sourceReason: source.reason,
      interfaces,
      notWatched,
      books: { ...told(books), bytes: told(books.bytes) },
      nodeAddresses: this.#nodeAddresses,
    };
    return this.#told;
  }
}

function told({ seen, stored, setAside, lost }: Account): WireAccount {
  return { seen, stored, setAside: numbers(setAside), lost: numbers(lost) };
}

function numbers(counts: Partial<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([reason, amount]) => [reason, amount ?? 0]));
}
