// The queries of one pod that may still get a reply. A reply is believed only if it matches one of them.
import type { Address } from '../../model/address.ts';
import type { DnsQuestion } from './decode/dns.ts';
import type { DnsPacket } from './source.ts';

/**
 * `sent`: how often the pod sent the same query. `replies`: the different replies to it. `conflict`: none is believed.
 * `gave`: keys of the answers of the one that is.
 */
export type PendingQuery = DnsQuestion & {
  readonly asked: Address[];
  readonly atUs: number;
  lastSentUs: number;
  sent: number;
  readonly replies: Set<string>;
  conflict: boolean;
  readonly gave: Set<string>;
};

/** Resolvers give up after 5 s, and may then use a reply that is late. */
export const replyTimeoutUs = 10_000_000;
/** Servers that may get the same query, which is then the same to us. */
const maxServers = 4;

export class DnsQueries {
  readonly #max: number;
  readonly #onGone: (query: PendingQuery) => void;
  /** The one that was sent first comes first. */
  readonly #pending = new Map<string, PendingQuery>();

  /** Keeps at most `max`. `onGone` gets each query that timed out or was evicted. */
  constructor(max: number, onGone: (query: PendingQuery) => void) {
    this.#max = max;
    this.#onGone = onGone;
  }

  /** Adds the query, or counts it if it was sent before. Returns a new query. */
  ask(packet: DnsPacket, id: number, { name, type }: DnsQuestion): PendingQuery | undefined {
    const { timeUs, server } = packet;
    this.expire(timeUs);
    const key = keyOf(packet, id, { name, type });
    const known = this.#pending.get(key);
    if (known !== undefined) {
      known.sent += 1;
      known.lastSentUs = timeUs;
      if (!known.asked.includes(server) && known.asked.length < maxServers) known.asked.push(server);
      this.#pending.delete(key);
      this.#pending.set(key, known);
      return undefined;
    }
    const query: PendingQuery = {
      name,
      type,
      asked: [server],
      atUs: timeUs,
      lastSentUs: timeUs,
      sent: 1,
      replies: new Set(),
      conflict: false,
      gave: new Set(),
    };
    this.#pending.set(key, query);
    if (this.#pending.size > this.#max) this.#removeOldest();
    return query;
  }

  /** The query that the packet replies to. */
  find(packet: DnsPacket, id: number, question: DnsQuestion): PendingQuery | undefined {
    this.expire(packet.timeUs);
    return this.#pending.get(keyOf(packet, id, question));
  }

  /** Pending queries that the packet could be a reply to, by its ends. Over UDP, `id` must be that of the query too. */
  ofEnds({ protocol, client, clientPort }: DnsPacket, id: number | undefined): PendingQuery[] {
    const ends = `${protocol} ${clientPort} `;
    const found: PendingQuery[] = [];
    for (const [key, query] of this.#pending) {
      const [, , ownId, , ownClient] = key.startsWith(ends) ? key.split(' ') : [];
      if (ownClient === client && (id === undefined || ownId === String(id))) found.push(query);
    }
    return found;
  }

  expire(nowUs: number): void {
    for (const query of this.#pending.values()) {
      if (query.lastSentUs + replyTimeoutUs > nowUs) return;
      this.#removeOldest();
    }
  }

  #removeOldest(): void {
    const [key, query] = this.#pending.entries().next().value!;
    this.#pending.delete(key);
    this.#onGone(query);
  }
}

function keyOf({ protocol, client, clientPort }: DnsPacket, id: number, { name, type }: DnsQuestion): string {
  return `${protocol} ${clientPort} ${id} ${type} ${client} ${name}`;
}
