// Readers that follow: first the last ones of the past, then new ones as they come, a JSON object a line. None of them
// holds up the collector: one that leaves too much unread gets a last line that says so, is counted and let go.
import { Readable } from 'node:stream';
import { connectionJson, findingJson } from '../../model/json.ts';
import { problemLine } from '../../model/problem.ts';
import { connectionMatches, findingMatches } from '../store/matches.ts';
import type { Query } from '../store/store.ts';
import type { ApiAnswers, Change, FollowerCounts } from './api.ts';
import { followerTooSlow } from './errors.ts';

export type FollowLimits = {
  followers: number;
  /** Characters that one reader may leave unread, beside the past that it asked for. */
  unreadMost: number;
  /** How long one that is let go has for what it left unread. */
  lastWordMs: number;
  /** Every so often a blank line says that the stream lives, to who asked for it: it need not wait where it hears nothing. */
  heartbeatMs: number;
};

export const followLimits: FollowLimits = {
  followers: 100,
  unreadMost: 4 * 2 ** 20,
  lastWordMs: 5_000,
  heartbeatMs: 15_000,
};

/** Ids that a reader was told and that may be taken back; the oldest are forgotten first. */
const toldMost = 50_000;

export class Followers {
  readonly limits: FollowLimits;
  readonly #answers: Pick<ApiAnswers, 'subscribe' | 'findings' | 'connections'>;
  readonly #open = new Set<FollowedLines>();
  #dropped = 0;

  constructor(answers: Pick<ApiAnswers, 'subscribe' | 'findings' | 'connections'>, limits: FollowLimits) {
    this.#answers = answers;
    this.limits = limits;
  }

  get full(): boolean {
    return this.#open.size >= this.limits.followers;
  }

  get counts(): FollowerCounts {
    return { now: this.#open.size, dropped: this.#dropped };
  }

  /** The lines end when the reader is let go, or destroys them. `beats`: blank ones say that the stream lives. */
  follow(of: 'finding' | 'connection', query: Query, beats: boolean): Readable {
    const lines = new FollowedLines(this.limits, beats, () => {
      this.#dropped += 1;
    });
    this.#open.add(lines);
    // Listened for before the past is asked for: what changes meanwhile is told after it rather than never.
    const unsubscribe = this.#answers.subscribe((change) => {
      if (change.type === 'gone' ? change.of === of : change.type === of && matches(change, query)) lines.tell(change);
    });
    lines.once('close', () => {
      unsubscribe();
      this.#open.delete(lines);
    });
    this.#past(of, query).then(
      (past) => lines.begin(past),
      (error: unknown) => lines.destroy(error instanceof Error ? error : new Error(String(error))),
    );
    return lines;
  }

  /** Says good-bye to all. */
  end(): void {
    for (const lines of this.#open) lines.end();
  }

  async #past(of: 'finding' | 'connection', query: Query): Promise<Change[]> {
    if (of === 'finding') {
      return (await this.#answers.findings(query)).map((finding) => ({ type: 'finding', finding }));
    }
    return (await this.#answers.connections(query)).map((connection) => ({ type: 'connection', connection }));
  }
}

function matches(change: Change, query: Query): boolean {
  if (change.type === 'finding') return findingMatches(query, change.finding);
  return change.type === 'connection' && connectionMatches(query, change.connection);
}

class FollowedLines extends Readable {
  readonly #limits: FollowLimits;
  readonly #onDropped: () => void;
  /** What came while the past was read, by id; undefined after that. */
  #early: Map<string, Change> | undefined = new Map();
  readonly #told = new Set<string>();
  #waiting: string[] = [];
  #waitingCharacters = 0;
  /** Of these, what is left of the past. */
  #pastCharacters = 0;
  #wanted = false;
  #over = false;

  constructor(limits: FollowLimits, beats: boolean, onDropped: () => void) {
    super({ encoding: 'utf8', highWaterMark: 64 * 1024 });
    this.#limits = limits;
    this.#onDropped = onDropped;
    if (!beats) return;
    const heartbeat = setInterval(() => this.#beat(), limits.heartbeatMs).unref();
    this.once('close', () => clearInterval(heartbeat));
  }

  begin(past: readonly Change[]): void {
    const early = this.#early ?? new Map<string, Change>();
    this.#early = undefined;
    if (this.#over) return;
    for (const change of past.toReversed()) {
      if (early.has(idOf(change)) || change.type === 'gone') continue;
      this.#remember(idOf(change));
      this.#wait(lineOf(jsonOf(change)));
    }
    // The past was asked for: it is not held against the reader.
    this.#pastCharacters = this.#waitingCharacters;
    for (const change of early.values()) if (change.type !== 'gone') this.tell(change);
    this.#give();
  }

  tell(change: Change): void {
    if (this.#over) return;
    const id = idOf(change);
    if (this.#early !== undefined) {
      this.#early.set(id, change);
      if (this.#early.size > toldMost) this.#drop();
      return;
    }
    if (change.type === 'gone') {
      if (!this.#told.delete(id)) return;
      this.#wait(lineOf({ id, gone: true }));
    } else {
      this.#remember(id);
      this.#wait(lineOf(jsonOf(change)));
    }
    if (this.#waitingCharacters > this.#limits.unreadMost + this.#pastCharacters) this.#drop();
    else this.#give();
  }

  end(): void {
    this.#over = true;
    this.#give();
  }

  override _read(): void {
    this.#wanted = true;
    this.#give();
  }

  #remember(id: string): void {
    this.#told.add(id);
    if (this.#told.size > toldMost) this.#told.delete(this.#told.keys().next().value!);
  }

  #wait(line: string): void {
    this.#waiting.push(line);
    this.#waitingCharacters += line.length;
  }

  /** Whoever has something to read yet needs none. */
  #beat(): void {
    if (this.#over || this.#waiting.length > 0) return;
    this.#wait('\n');
    this.#give();
  }

  #drop(): void {
    this.#onDropped();
    this.#early = undefined;
    this.#wait(lineOf({ error: problemLine(followerTooSlow()) }));
    setTimeout(() => this.destroy(), this.#limits.lastWordMs).unref();
    this.end();
  }

  #give(): void {
    let given = 0;
    while (this.#wanted && given < this.#waiting.length) {
      const line = this.#waiting[given]!;
      given += 1;
      this.#waitingCharacters -= line.length;
      this.#pastCharacters = Math.max(0, this.#pastCharacters - line.length);
      this.#wanted = this.push(line);
    }
    if (given > 0) this.#waiting = this.#waiting.slice(given);
    if (this.#over && this.#waiting.length === 0) this.push(null);
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
