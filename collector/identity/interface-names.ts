// The DNS names that one pod was given, at one interface, and what may have been missed. Times in µs on the collector's clock.
import type { Address } from '../../model/address.ts';
import type { WatchedQueries } from '../../model/dns-answer.ts';
import { type GivenName, type NameSource, type NameSpan, withName, withoutAnswer } from './name-spans.ts';

/** The first and the last time that the pod sent something to a server's port 53. */
type UsedServer = { firstUs: number; lastUs: number };

/** `agentSinceUs` identifies it. `isNew`: since the pod has the interface. Queries after `untilUs` may have been missed. */
type Watched = { agentSinceUs: number; isNew: boolean; untilUs: number };

const maxAddresses = 1_000;
const maxPossibleNames = 64;
const maxServers = 16;
const never = Number.POSITIVE_INFINITY;
const noNames: readonly string[] = [];

export class InterfaceNames {
  podUid = '';
  #watched: Watched | undefined;
  readonly #spans = new Map<Address, NameSpan[]>();
  /** By name: when the pod asked for it first, without a reply that was seen. */
  readonly #possibleNames = new Map<string, number>();
  readonly #servers = new Map<Address, UsedServer>();
  /** From then on it used more servers than are kept. */
  #manyServersUs = never;
  /** From then on it used DNS over TLS. */
  #overTlsUs = never;
  /** From then on names are missing here. */
  #evictedUs = never;

  get addressCount(): number {
    return this.#spans.size;
  }

  get overTlsUs(): number {
    return this.#overTlsUs;
  }

  get manyServersUs(): number {
    return this.#manyServersUs;
  }

  get servers(): Iterable<[Address, UsedServer]> {
    return this.#servers;
  }

  spansOf(address: Address): readonly NameSpan[] {
    return this.#spans.get(address) ?? [];
  }

  /** `all`: every query from the pod's start until that time was seen. */
  queriesSeenAt(timeUs: number): 'all' | 'not-since-the-start' | 'not-all' {
    if (this.#watched === undefined || !this.#watched.isNew) return 'not-since-the-start';
    return timeUs < Math.min(this.#watched.untilUs, this.#evictedUs) ? 'all' : 'not-all';
  }

  /** Names that the pod may have been given unseen by that time. */
  possibleNamesAt(timeUs: number): readonly string[] {
    return this.#possibleNames.size === 0
      ? noNames
      : [...this.#possibleNames].flatMap(([name, atUs]) => (atUs <= timeUs ? [name] : []));
  }

  /** False if this is another pod's interface: a restarted node uses the same index again. */
  continues({ sinceUs, isNew }: WatchedQueries): boolean {
    return this.#watched === undefined || !isNew || this.#watched.agentSinceUs === sinceUs;
  }

  watch({ sinceUs, isNew, untilUs }: WatchedQueries, clockOffsetUs: number): void {
    const until = untilUs === 0 ? never : untilUs + clockOffsetUs;
    if (this.#watched === undefined) {
      this.#watched = { agentSinceUs: sinceUs, isNew, untilUs: until };
      return;
    }
    // Another agent watches since then: what happened between the two was missed.
    const isSame = this.#watched.agentSinceUs === sinceUs;
    this.#watched.untilUs = Math.min(this.#watched.untilUs, isSame ? until : sinceUs + clockOffsetUs);
  }

  learn(address: Address, given: GivenName): void {
    const { spans, evicted } = withName(this.#spans.get(address) ?? [], given);
    if (evicted) this.#evictedUs = 0;
    this.#spans.delete(address);
    this.#spans.set(address, spans);
    if (this.#spans.size > maxAddresses) this.evictOldest();
  }

  withdraw(address: Address, answer: NameSource & { name: string; agentAtUs: number }): void {
    const spans = withoutAnswer(this.spansOf(address), answer);
    if (spans.length > 0) this.#spans.set(address, spans);
    else this.#spans.delete(address);
  }

  evictOldest(): void {
    const oldest = this.#spans.keys().next();
    if (oldest.done) return;
    this.#spans.delete(oldest.value);
    this.#evictedUs = 0;
  }

  setPossible(name: string, atUs: number): void {
    if (this.#possibleNames.size < maxPossibleNames || this.#possibleNames.has(name))
      this.#possibleNames.set(name, atUs);
    else this.#evictedUs = Math.min(this.#evictedUs, atUs);
  }

  setAnswered(name: string): void {
    this.#possibleNames.delete(name);
  }

  useServer(server: Address, firstUs: number, lastUs: number): void {
    const known = this.#servers.get(server);
    if (known !== undefined) {
      known.firstUs = Math.min(known.firstUs, firstUs);
      known.lastUs = Math.max(known.lastUs, lastUs);
    } else if (this.#servers.size < maxServers) this.#servers.set(server, { firstUs, lastUs });
    else this.#manyServersUs = Math.min(this.#manyServersUs, firstUs);
  }

  useTls(atUs: number): void {
    this.#overTlsUs = Math.min(this.#overTlsUs, atUs);
  }

  /** For the store. JSON has no infinity: it becomes null. */
  toJson(): object {
    return {
      podUid: this.podUid,
      watched: this.#watched,
      spans: [...this.#spans],
      possibleNames: [...this.#possibleNames],
      servers: [...this.#servers],
      times: [this.#manyServersUs, this.#overTlsUs, this.#evictedUs],
    };
  }

  /** From the text of `toJson`; undefined if it is invalid. */
  static fromJson(text: string): InterfaceNames | undefined {
    try {
      return InterfaceNames.#from(JSON.parse(text) as StoredInterface);
    } catch {
      return undefined;
    }
  }

  static #from(stored: StoredInterface): InterfaceNames {
    const names = new InterfaceNames();
    names.podUid = stored.podUid;
    if (stored.watched !== undefined) names.#watched = { ...stored.watched, untilUs: stored.watched.untilUs ?? never };
    for (const [address, spans] of stored.spans) names.#spans.set(address, spans);
    for (const [name, atUs] of stored.possibleNames) names.#possibleNames.set(name, atUs);
    for (const [address, used] of stored.servers) names.#servers.set(address, used);
    const [manyServersUs, overTlsUs, evictedUs] = stored.times.map((time) => time ?? never);
    names.#manyServersUs = manyServersUs!;
    names.#overTlsUs = overTlsUs!;
    names.#evictedUs = evictedUs!;
    return names;
  }
}

type StoredInterface = {
  podUid: string;
  watched?: { agentSinceUs: number; isNew: boolean; untilUs: number | null };
  spans: [Address, NameSpan[]][];
  possibleNames: [string, number][];
  servers: [Address, UsedServer][];
  times: (number | null)[];
};
