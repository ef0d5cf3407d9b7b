// Readers that follow: first the last ones of the past, then new ones as they come, a JSON object a line. None of them
// holds up the collector: one that leaves too much unread gets a last line that says so, is counted and let go.
import { Readable } from 'node:stream';
import { connectionJson, findingJson } from '../../model/json.ts';
import { problemLine } from '../../model/problem.ts';
import { connectionMatches, findingMatches } from '../store/matches.ts';
import type { ListQuery } from '../store/store.ts';
import type { ApiDataSource, Change, FollowerCounts } from './api.ts';
import { followerTooSlow } from './errors.ts';

export type FollowLimits = {
  maxFollowers: number;
  /** Characters that one reader may leave unread, beside the past that it asked for. */
  maxUnreadCharacters: number;
  /** How long one that is let go has for what it left unread. */
  drainTimeoutMs: number;
  /** Every so often a blank line says that the stream lives, to who asked for it: it need not wait where it hears nothing. */
  heartbeatIntervalMs: number;
};

export const followLimits: FollowLimits = {
  maxFollowers: 100,
  maxUnreadCharacters: 4 * 2 ** 20,
  drainTimeoutMs: 5_000,
  heartbeatIntervalMs: 15_000,
};

/** Ids that a reader was told and that may be taken back; the oldest are forgotten first. */
const maxSentIds = 50_000;

export class Followers {
  readonly limits: FollowLimits;
  readonly #dataSource: Pick<ApiDataSource, 'subscribe' | 'findings' | 'connections'>;
  readonly #open = new Set<FollowStream>();
  #dropped = 0;

  constructor(dataSource: Pick<ApiDataSource, 'subscribe' | 'findings' | 'connections'>, limits: FollowLimits) {
    this.#dataSource = dataSource;
    this.limits = limits;
  }

  get full(): boolean {
    return this.#open.size >= this.limits.maxFollowers;
  }

  get counts(): FollowerCounts {
    return { now: this.#open.size, dropped: this.#dropped };
  }

  /** The lines end when the reader is let go, or destroys them. `beats`: blank ones say that the stream lives. */
  follow(of: 'finding' | 'connection', query: ListQuery, withHeartbeat: boolean): Readable {
    const stream = new FollowStream(this.limits, withHeartbeat, () => {
      this.#dropped += 1;
    });
    this.#open.add(stream);
    // Listened for before the past is asked for: what changes meanwhile is told after it rather than never.
    const unsubscribe = this.#dataSource.subscribe((change) => {
      if (change.type === 'gone' ? change.of === of : change.type === of && matches(change, query)) stream.send(change);
    });
    stream.once('close', () => {
      unsubscribe();
      this.#open.delete(stream);
    });
    this.#history(of, query).then(
      (history) => stream.sendHistory(history),
      (error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    return stream;
  }

  /** Says good-bye to all. */
  end(): void {
    for (const stream of this.#open) stream.end();
  }

  async #history(of: 'finding' | 'connection', query: ListQuery): Promise<Change[]> {
    if (of === 'finding') {
      return (await this.#dataSource.findings(query)).map((finding) => ({ type: 'finding', finding }));
    }
    return (await this.#dataSource.connections(query)).map((connection) => ({ type: 'connection', connection }));
  }
}

function matches(change: Change, query: ListQuery): boolean {
  if (change.type === 'finding') return findingMatches(query, change.finding);
  return change.type === 'connection' && connectionMatches(query, change.connection);
}

class FollowStream extends Readable {
  readonly #limits: FollowLimits;
  readonly #onDropped: () => void;
  /** What came while the past was read, by id; undefined after that. */
  #changesDuringHistory: Map<string, Change> | undefined = new Map();
  readonly #sentIds = new Set<string>();
  #unsent: string[] = [];
  #unsentCharacters = 0;
  /** Of these, what is left of the past. */
  #historyCharacters = 0;
  #readerReady = false;
  #ended = false;

  constructor(limits: FollowLimits, withHeartbeat: boolean, onDropped: () => void) {
    super({ encoding: 'utf8', highWaterMark: 64 * 1024 });
    this.#limits = limits;
    this.#onDropped = onDropped;
    if (!withHeartbeat) return;
    const heartbeat = setInterval(() => this.#sendHeartbeat(), limits.heartbeatIntervalMs).unref();
    this.once('close', () => clearInterval(heartbeat));
  }

  sendHistory(history: readonly Change[]): void {
    const changesDuringHistory = this.#changesDuringHistory ?? new Map<string, Change>();
    this.#changesDuringHistory = undefined;
    if (this.#ended) return;
    for (const change of history.toReversed()) {
      if (changesDuringHistory.has(idOf(change)) || change.type === 'gone') continue;
      this.#rememberSent(idOf(change));
      this.#enqueue(lineOf(jsonOf(change)));
    }
    // The past was asked for: it is not held against the reader.
    this.#historyCharacters = this.#unsentCharacters;
    for (const change of changesDuringHistory.values()) if (change.type !== 'gone') this.send(change);
    this.#flush();
  }

  send(change: Change): void {
    if (this.#ended) return;
    const id = idOf(change);
    if (this.#changesDuringHistory !== undefined) {
      this.#changesDuringHistory.set(id, change);
      if (this.#changesDuringHistory.size > maxSentIds) this.#drop();
      return;
    }
    if (change.type === 'gone') {
      if (!this.#sentIds.delete(id)) return;
      this.#enqueue(lineOf({ id, gone: true }));
    } else {
      this.#rememberSent(id);
      this.#enqueue(lineOf(jsonOf(change)));
    }
    if (this.#unsentCharacters > this.#limits.maxUnreadCharacters + this.#historyCharacters) this.#drop();
    else this.#flush();
  }

  end(): void {
    this.#ended = true;
    this.#flush();
  }

  override _read(): void {
    this.#readerReady = true;
    this.#flush();
  }

  #rememberSent(id: string): void {
    this.#sentIds.add(id);
    if (this.#sentIds.size > maxSentIds) this.#sentIds.delete(this.#sentIds.keys().next().value!);
  }

  #enqueue(line: string): void {
    this.#unsent.push(line);
    this.#unsentCharacters += line.length;
  }

  /** Whoever has something to read yet needs none. */
  #sendHeartbeat(): void {
    if (this.#ended || this.#unsent.length > 0) return;
    this.#enqueue('\n');
    this.#flush();
  }

  #drop(): void {
    this.#onDropped();
    this.#changesDuringHistory = undefined;
    this.#enqueue(lineOf({ error: problemLine(followerTooSlow()) }));
    setTimeout(() => this.destroy(), this.#limits.drainTimeoutMs).unref();
    this.end();
  }

  #flush(): void {
    let sentCount = 0;
    while (this.#readerReady && sentCount < this.#unsent.length) {
      const line = this.#unsent[sentCount]!;
      sentCount += 1;
      this.#unsentCharacters -= line.length;
      this.#historyCharacters = Math.max(0, this.#historyCharacters - line.length);
      this.#readerReady = this.push(line);
    }
    if (sentCount > 0) this.#unsent = this.#unsent.slice(sentCount);
    if (this.#ended && this.#unsent.length === 0) this.push(null);
  }
}

function idOf(change: Change): string {
  if (change.type === 'gone') return change.id;
  return change.type === 'finding' ? change.finding.id : change.connection.id;
}

function jsonOf(change: Exclude<Change, { type: 'gone' }>): object {
  return change.type === 'finding' ? findingJson(change.finding) : connectionJson(change.connection);
}

function lineOf(json: object): string {
  return `${JSON.stringify(json)}\n`;
}
