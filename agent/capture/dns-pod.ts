// The DNS queries of one pod, at one interface: the names that it was given, and those that it may have been given unseen.
import type {
  DnsAnswer,
  DnsOrigin,
  DnsReport,
  UnansweredQuery,
  WatchedQueries,
  WithdrawnAnswer,
} from '../../model/dns-answer.ts';
import { TCP } from '../../model/protocol.ts';
import { DNS, type DnsMessage, readDnsMessage } from './decode/dns.ts';
import { idOf, OwnReplies } from './dns-own-replies.ts';
import { DnsQueries, type PendingQuery } from './dns-queries.ts';
import { DnsStreams, readSegment } from './dns-streams.ts';
import type { DnsPacket } from './source.ts';

/**
 * `expiresUs` is when the answer becomes invalid. `by`: the pending queries whose replies gave it. It is withdrawn when each
 * of them got a different reply too. Empty: one of them ended without one, so the answer stays.
 */
type RememberedAnswer = {
  answer: DnsAnswer & { origin: DnsOrigin };
  expiresUs: number;
  readonly by: Set<PendingQuery>;
};

/** Queries for a name without a reply. `lasts`: a reply may have been missed, or is not believed. */
type Doubt = { atUs: number; queries: Set<PendingQuery>; lasts: boolean };

/** Answers with a shorter time to live are treated as if they had this one. */
const minTtlSeconds = 60;
const maxTtlSeconds = 86_400;
const serverFailure = 'server failure';
const limits = { pendingQueries: 512, streams: 128, doubts: 64, ownReplies: 256 };

export class PodDns {
  readonly #interfaceIndex: number;
  readonly #sinceUs: number;
  readonly #isNew: boolean;
  #untilUs = 0;
  #watchedIsDue = true;
  readonly #queries = new DnsQueries(limits.pendingQueries, (query) => this.#onGone(query));
  readonly #streams = new DnsStreams(limits.streams);
  readonly #ownReplies = new OwnReplies(limits.ownReplies);
  /** By name, address and servers; the oldest first. */
  readonly #answers = new Map<string, RememberedAnswer>();
  /** Keys of answers that were never sent, and of those that are sent again. */
  readonly #unsent = new Set<string>();
  readonly #resending = new Set<string>();
  #withdrawn: WithdrawnAnswer[] = [];
  /** Queries since the last drain. */
  #newQueries: PendingQuery[] = [];
  readonly #doubts = new Map<string, Doubt>();
  readonly #changedDoubts = new Set<string>();

  constructor(interfaceIndex: number, sinceUs: number, isNew: boolean) {
    this.#interfaceIndex = interfaceIndex;
    this.#sinceUs = Math.round(sinceUs);
    this.#isNew = isNew;
  }

  get answerCount(): number {
    return this.#answers.size;
  }

  get dueAnswers(): number {
    return this.#unsent.size + this.#resending.size;
  }

  receive(packet: DnsPacket): void {
    if (packet.direction === 'from-pod') this.#receiveQueries(packet);
    else this.#receiveReplies(packet);
  }

  /** Queries after `sinceUs` may have been missed. */
  missed(sinceUs: number): void {
    const untilUs = Math.max(this.#sinceUs, Math.floor(sinceUs));
    if (this.#untilUs !== 0 && this.#untilUs <= untilUs) return;
    this.#untilUs = untilUs;
    this.#watchedIsDue = true;
  }

  /** The pod itself sent a packet from port 53. If it sent it to itself, what comes back is no reply. */
  receiveOwnReply(packet: DnsPacket): void {
    if (!this.#ownReplies.add(packet)) return;
    for (const query of this.#queries.ofEnds(packet, idOf(packet))) this.#believeNone(query);
  }

  /** Packets that the pod sent to itself may have been missed, and taken for replies. */
  dropAnswersSince(sinceUs: number): void {
    for (const [key, { answer }] of this.#answers) if (answer.atUs >= sinceUs) this.#takeBack(key, answer);
  }

  /** A collector that restarts does not get that answer again, so it must not rely on the others. */
  evictOldest(): void {
    this.#forget(this.#answers.keys().next().value!);
    this.missed(this.#sinceUs);
  }

  /** Makes everything due again that is still valid. */
  resend(nowUs: number): void {
    for (const [key, { expiresUs }] of this.#answers) {
      if (expiresUs > nowUs && !this.#unsent.has(key)) this.#resending.add(key);
    }
    for (const name of this.#doubts.keys()) this.#changedDoubts.add(name);
    this.#watchedIsDue = true;
  }

  /** What is due, with at most `maxAnswers` answers. */
  drain(maxAnswers: number, nowUs: number): DnsReport {
    this.#queries.expire(nowUs);
    this.#doubtNewQueries();
    const answers = this.#takeAnswers(maxAnswers);
    const withdrawn = this.#withdrawn;
    this.#withdrawn = [];
    return { answers, withdrawn, unanswered: this.#takeDoubts(), watched: this.#takeWatched() };
  }

  #receiveQueries(packet: DnsPacket): void {
    this.#ownReplies.addClient(packet);
    for (const message of this.#messagesFromPod(packet)) {
      if (message.kind === 'unreadable') this.missed(packet.timeUs);
      // From port 53 to port 53: it may come back as a reply.
      if (message.kind === 'reply') this.receiveOwnReply({ ...packet, client: packet.server, clientPort: DNS });
      if (message.kind !== 'query') continue;
      const query = this.#queries.ask(packet, message.id, message);
      if (query !== undefined) this.#newQueries.push(query);
    }
    if (this.#newQueries.length > limits.pendingQueries) this.#doubtNewQueries();
  }

  #messagesFromPod({ protocol, payload, timeUs }: DnsPacket): DnsMessage[] {
    if (protocol !== TCP) return [readDnsMessage(payload, 0, payload.length)];
    const { messages, rest } = readSegment(payload);
    // The rest of the segment, or of the message, may be a query.
    if (rest !== 0) this.missed(timeUs);
    return messages;
  }

  #receiveReplies(packet: DnsPacket): void {
    const { protocol, payload } = packet;
    const messages = protocol === TCP ? this.#streams.read(packet) : [readDnsMessage(payload, 0, payload.length)];
    for (const message of messages) {
      if (message.kind !== 'reply') continue;
      const query = this.#queries.find(packet, message.id, message);
      if (query !== undefined) this.#receiveReply(packet, query, message);
    }
  }

  #receiveReply(packet: DnsPacket, query: PendingQuery, reply: DnsMessage & { kind: 'reply' }): void {
    const addresses = reply.addresses.map(({ address }) => address);
    query.replies.add(reply.serverFailed ? serverFailure : addresses.sort().join(' '));
    if (query.conflict || hasDifferentReplies(query) || this.#ownReplies.mayBe(packet)) {
      this.#believeNone(query);
      return;
    }
    const asked = query.asked.includes(packet.server) ? packet.server : query.asked[0]!;
    const { interfaceIndex, protocol, server, timeUs } = packet;
    const origin: DnsOrigin = { interfaceIndex, server, asked, transport: protocol === TCP ? 'TCP' : 'UDP' };
    for (const { address, ttlSeconds } of reply.addresses) {
      const ttl = Math.min(ttlSeconds, maxTtlSeconds);
      this.#learn({ name: query.name, address, atUs: timeUs, ttlSeconds: ttl, origin }, query);
    }
    if (reply.complete) this.#endDoubt(query);
    else this.#doubtForGood(query);
  }

  /** An answer that was sent is sent again only if it is now valid for much longer. */
  #learn(answer: RememberedAnswer['answer'], by: PendingQuery): void {
    const { server, asked } = answer.origin;
    const key = `${answer.name} ${answer.address} ${server} ${asked}`;
    const validUs = Math.max(answer.ttlSeconds, minTtlSeconds) * 1_000_000;
    const before = this.#answers.get(key);
    const isPending = before !== undefined && before.by.size > 0;
    const isCovered = before !== undefined && before.expiresUs - answer.atUs >= validUs / 2;
    if (isPending || !isCovered) by.gave.add(key);
    if (isPending) before.by.add(by);
    if (isCovered) return;
    this.#answers.delete(key);
    this.#answers.set(key, {
      answer: isPending ? withTimeOf(before.answer, answer) : answer,
      expiresUs: answer.atUs + validUs,
      by: isPending ? before.by : new Set([by]),
    });
    this.#resending.delete(key);
    this.#unsent.add(key);
  }

  #believeNone(query: PendingQuery): void {
    query.conflict = true;
    this.#withdraw(query);
    this.#doubtForGood(query);
  }

  /** Takes back what only the replies to this query gave. */
  #withdraw(query: PendingQuery): void {
    for (const key of query.gave) {
      const { answer, by } = this.#answers.get(key) ?? {};
      if (answer !== undefined && by?.delete(query) && by.size === 0) this.#takeBack(key, answer);
    }
    query.gave.clear();
  }

  #takeBack(key: string, { name, address, atUs, origin }: RememberedAnswer['answer']): void {
    if (!this.#unsent.has(key)) this.#withdrawn.push({ name, address, atUs, origin });
    this.#forget(key);
  }

  #forget(key: string): void {
    this.#answers.delete(key);
    this.#unsent.delete(key);
    this.#resending.delete(key);
  }

  /** The query timed out or was evicted. */
  #onGone(query: PendingQuery): void {
    if (query.replies.size === 0) this.#doubtForGood(query);
    for (const key of query.gave) {
      const by = this.#answers.get(key)?.by;
      if (by?.has(query)) by.clear();
    }
  }

  #doubtNewQueries(): void {
    for (const query of this.#newQueries) {
      const doubt = query.replies.size === 0 ? this.#doubtOf(query) : undefined;
      if (doubt?.lasts === false) doubt.queries.add(query);
    }
    this.#newQueries = [];
  }

  #doubtForGood(query: PendingQuery): void {
    const doubt = this.#doubtOf(query);
    if (doubt === undefined) return;
    doubt.lasts = true;
    doubt.queries.clear();
  }

  /** The doubt about the query's name, which may be new. Undefined if the collector relies on no query of that time anyway. */
  #doubtOf({ name, atUs }: PendingQuery): Doubt | undefined {
    const known = this.#doubts.get(name);
    if (known !== undefined || !this.#isNew || (this.#untilUs !== 0 && this.#untilUs <= atUs)) return known;
    if (this.#doubts.size === limits.doubts) {
      this.missed(atUs);
      return undefined;
    }
    const doubt: Doubt = { atUs, queries: new Set(), lasts: false };
    this.#doubts.set(name, doubt);
    this.#changedDoubts.add(name);
    return doubt;
  }

  #endDoubt(query: PendingQuery): void {
    const doubt = this.#doubts.get(query.name);
    if (doubt === undefined || !doubt.queries.delete(query) || doubt.queries.size > 0) return;
    this.#doubts.delete(query.name);
    this.#changedDoubts.add(query.name);
  }

  #takeAnswers(max: number): DnsAnswer[] {
    const answers: DnsAnswer[] = [];
    for (const due of [this.#unsent, this.#resending]) {
      for (const key of due) {
        if (answers.length >= max) break;
        due.delete(key);
        answers.push(this.#answers.get(key)!.answer);
      }
    }
    // The collector evaluates connections before it gets the rest.
    const [left] = this.#unsent;
    if (left !== undefined) this.missed(this.#answers.get(left)!.answer.atUs);
    return answers;
  }

  #takeDoubts(): UnansweredQuery[] {
    const unanswered = [...this.#changedDoubts].map((name) => {
      const doubt = this.#doubts.get(name);
      const atUs = Math.round(doubt?.atUs ?? 0);
      return { interfaceIndex: this.#interfaceIndex, name, atUs, open: doubt !== undefined };
    });
    this.#changedDoubts.clear();
    return unanswered;
  }

  /** A collector that restarted must have all answers before it relies on this. Until then only a loss is reported. */
  #takeWatched(): WatchedQueries[] {
    const isResent = this.#resending.size === 0;
    if (!this.#watchedIsDue || (!isResent && this.#untilUs === 0)) return [];
    this.#watchedIsDue = false;
    return [
      {
        interfaceIndex: this.#interfaceIndex,
        sinceUs: this.#sinceUs,
        isNew: this.#isNew,
        untilUs: isResent ? this.#untilUs : this.#sinceUs,
      },
    ];
  }
}

/** Resolvers send a query again if the server failed, so a failure is then no other reply. */
function hasDifferentReplies({ replies, sent }: PendingQuery): boolean {
  const failures = sent > 1 && replies.has(serverFailure) ? 1 : 0;
  return replies.size - failures > 1;
}

/** The time identifies the answer that the collector has: if it is withdrawn, all of it is. */
function withTimeOf<Answer extends DnsAnswer>(before: Answer, answer: Answer): Answer {
  const laterSeconds = Math.ceil((answer.atUs - before.atUs) / 1_000_000);
  const ttlSeconds = Math.min(answer.ttlSeconds + laterSeconds, maxTtlSeconds);
  return { ...answer, atUs: before.atUs, ttlSeconds };
}
