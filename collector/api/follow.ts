// Readers that follow: first the latest stored items, then new ones, one JSON object a line. A slow reader does not block
// the collector: it gets an error as its last line, is counted and dropped.
import { Readable } from 'node:stream';
import { escapeJson } from '../../model/escape.ts';
import { connectionJson, findingJson } from '../../model/json.ts';
import { problemLine } from '../../model/problem.ts';
import { connectionMatches, findingMatches } from '../store/matches.ts';
import type { ListQuery } from '../store/store.ts';
import { lineOf } from './answers.ts';
import type { ApiDataSource, Change, FollowerCounts } from './api.ts';
import { type FollowersLimit, followerTooSlow } from './errors.ts';

export type FollowLimits = {
  maxFollowers: number;
  /** The same of one client. */
  maxPerClient: number;
  /** Most unread characters of a reader, without the stored items at the beginning. */
  maxUnreadCharacters: number;
  /** How long a dropped reader may still read. */
  drainTimeoutMs: number;
  /** Interval of the blank lines that show that the stream is alive, if the reader asks for them. */
  heartbeatIntervalMs: number;
};

export const followLimits: FollowLimits = {
  maxFollowers: 100,
  maxPerClient: 25,
  maxUnreadCharacters: 4 * 2 ** 20,
  drainTimeoutMs: 5_000,
  heartbeatIntervalMs: 15_000,
};

/** Most ids remembered for a reader, to send `gone` for them; the oldest are forgotten first. */
const maxSentIds = 50_000;
/** Most ids that may be gone while the history is read. */
const maxGoneIds = 1_000_000;

type ShownChange = Exclude<Change, { type: 'gone' }>;

export class Followers {
  readonly limits: FollowLimits;
  readonly #dataSource: Pick<ApiDataSource, 'subscribe' | 'findings' | 'connections'>;
  /** Each with its client. */
  readonly #open = new Map<FollowStream, string>();
  readonly #onUnreadable: (error: unknown) => void;
  #dropped = 0;

  /** `onUnreadable` is called for an item that cannot be shown; it is left out. */
  constructor(
    dataSource: Pick<ApiDataSource, 'subscribe' | 'findings' | 'connections'>,
    limits: FollowLimits,
    onUnreadable: (error: unknown) => void,
  ) {
    this.#dataSource = dataSource;
    this.limits = limits;
    this.#onUnreadable = onUnreadable;
  }

  /** The limit that leaves no place for one more follower of the client; undefined if there is a place. */
  reachedLimit(client: string): FollowersLimit | undefined {
    const { maxFollowers, maxPerClient } = this.limits;
    if (this.#open.size >= maxFollowers) return { max: maxFollowers, of: 'all clients' };
    const ofClient = [...this.#open.values()].filter((one) => one === client).length;
    return ofClient >= maxPerClient ? { max: maxPerClient, of: 'one client' } : undefined;
  }

  get counts(): FollowerCounts {
    return { now: this.#open.size, dropped: this.#dropped };
  }

  /** Ends when the reader is dropped, or when it destroys the stream. `withHeartbeat`: blank lines while nothing changes. */
  follow(of: 'finding' | 'connection', query: ListQuery, withHeartbeat: boolean, client: string): Readable {
    const onDropped = () => {
      this.#dropped += 1;
    };
    const stream = new FollowStream(this.limits, withHeartbeat, onDropped, this.#onUnreadable);
    this.#open.set(stream, client);
    // Subscribe before reading the history, so that a change in between is not missed.
    const unsubscribe = this.#dataSource.subscribe((change) => {
      if ((change.type === 'gone' ? change.of : change.type) !== of) return;
      if (change.type === 'gone' || matches(change, query)) stream.send(change);
      else stream.sendNoLongerMatches(idOf(change));
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

  /** Ends all streams. */
  end(): void {
    for (const stream of this.#open.keys()) stream.end();
  }

  async #history(of: 'finding' | 'connection', query: ListQuery): Promise<ShownChange[]> {
    if (of === 'finding') {
      return (await this.#dataSource.findings(query)).map((finding) => ({ type: 'finding', finding }));
    }
    return (await this.#dataSource.connections(query)).map((connection) => ({ type: 'connection', connection }));
  }
}

function matches(change: ShownChange, query: ListQuery): boolean {
  return change.type === 'finding'
    ? findingMatches(query, change.finding)
    : connectionMatches(query, change.connection);
}

class FollowStream extends Readable {
  readonly #limits: FollowLimits;
  readonly #onDropped: () => void;
  readonly #onUnreadable: (error: unknown) => void;
  /** What arrives while the history is read, by id; undefined after that. */
  #duringHistory: { changes: Map<string, ShownChange>; gone: Set<string> } | undefined = {
    changes: new Map(),
    gone: new Set(),
  };
  readonly #sentIds = new Set<string>();
  /** Some ids are no longer in `#sentIds`, so an unknown id may have been sent. */
  #forgotSentIds = false;
  #unsent: string[] = [];
  #unsentCharacters = 0;
  /** The part of `#unsentCharacters` that belongs to the history. */
  #historyCharacters = 0;
  #readerReady = false;
  #ended = false;

  constructor(
    limits: FollowLimits,
    withHeartbeat: boolean,
    onDropped: () => void,
    onUnreadable: (error: unknown) => void,
  ) {
    super({ encoding: 'utf8', highWaterMark: 64 * 1024 });
    this.#limits = limits;
    this.#onDropped = onDropped;
    this.#onUnreadable = onUnreadable;
    if (!withHeartbeat) return;
    const heartbeat = setInterval(() => this.#sendHeartbeat(), limits.heartbeatIntervalMs).unref();
    this.once('close', () => clearInterval(heartbeat));
  }

  sendHistory(history: readonly ShownChange[]): void {
    const { changes, gone } = this.#duringHistory ?? { changes: new Map<string, ShownChange>(), gone: new Set() };
    this.#duringHistory = undefined;
    if (this.#ended) return;
    for (const change of history.toReversed()) {
      if (!changes.has(idOf(change)) && !gone.has(idOf(change))) this.#sendShown(change);
    }
    // The history does not count towards the limit, because the reader asked for it.
    this.#historyCharacters = this.#unsentCharacters;
    for (const change of changes.values()) this.send(change);
    this.#flush();
  }

  send(change: Change): void {
    if (this.#ended) return;
    if (change.type === 'gone') this.#sendGone(change.id, { ifForgotten: 'send' });
    else if (this.#duringHistory !== undefined) {
      this.#duringHistory.gone.delete(idOf(change));
      this.#duringHistory.changes.set(idOf(change), change);
      if (this.#duringHistory.changes.size > maxSentIds) this.#drop();
    } else {
      this.#sendShown(change);
      this.#flushOrDrop();
    }
  }

  /** Does nothing for an item that the reader did not get. */
  sendNoLongerMatches(id: string): void {
    if (!this.#ended) this.#sendGone(id, { ifForgotten: 'skip' });
  }

  #sendShown(change: ShownChange): void {
    const line = lineOf(change, jsonOf, this.#onUnreadable);
    if (line === undefined) return;
    const id = idOf(change);
    this.#sentIds.delete(id);
    this.#sentIds.add(id);
    if (this.#sentIds.size > maxSentIds) {
      this.#sentIds.delete(this.#sentIds.keys().next().value!);
      this.#forgotSentIds = true;
    }
    this.#enqueue(`${line}\n`);
  }

  #sendGone(id: string, { ifForgotten }: { ifForgotten: 'send' | 'skip' }): void {
    if (this.#duringHistory !== undefined) {
      this.#duringHistory.changes.delete(id);
      this.#duringHistory.gone.add(id);
      if (this.#duringHistory.gone.size > maxGoneIds) this.#drop();
      return;
    }
    const wasSent = this.#sentIds.delete(id);
    if (!wasSent && !(this.#forgotSentIds && ifForgotten === 'send')) return;
    this.#enqueue(jsonLine({ id, gone: true }));
    this.#flushOrDrop();
  }

  #flushOrDrop(): void {
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

  #enqueue(line: string): void {
    this.#unsent.push(line);
    this.#unsentCharacters += line.length;
  }

  /** Not needed while the reader has unread lines. */
  #sendHeartbeat(): void {
    if (this.#ended || this.#unsent.length > 0) return;
    this.#enqueue('\n');
    this.#flush();
  }

  #drop(): void {
    this.#onDropped();
    this.#duringHistory = undefined;
    this.#enqueue(jsonLine({ error: problemLine(followerTooSlow()) }));
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

function idOf(change: ShownChange): string {
  return change.type === 'finding' ? change.finding.id : change.connection.id;
}

function jsonOf(change: ShownChange): object {
  return change.type === 'finding' ? findingJson(change.finding) : connectionJson(change.connection);
}

function jsonLine(json: object): string {
  return `${escapeJson(JSON.stringify(json))}\n`;
}
