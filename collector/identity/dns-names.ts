// What an address was called at a time, as pods were told by DNS. Nobody vouches for it: names are shown, and judged by
// only where a policy says so itself (domainNames, rule 24).
import type { Address } from '../../model/address.ts';
import type { DnsAnswer } from '../../model/dns-answer.ts';
import type { Endpoint } from '../../model/endpoint.ts';

/** From the first answer to the end of what the latest allows. */
type NameSpan = { name: string; fromUs: number; lastAnswerUs: number; untilUs: number };

/**
 * Programs go on with an address after its time to live: pools open connections again to what they resolved once, runtimes
 * cache longer than they should, and an agent does not tell every renewal.
 */
const lingerUs = 600_000_000;
/** An answer and the connection that follows it may be seen by two nodes' clocks. */
const answerToleranceUs = 1_000_000;
/** Names kept for one address, and shown of them: content networks serve thousands from one. */
const maxNamesPerAddress = 16;
const maxNamesShown = 5;

export class DnsNames {
  readonly #spans = new Map<Address, NameSpan[]>();
  readonly #maxAddresses: number;

  /**
   * Remembers the names of `limit` addresses, those that were told last. They are not forgotten by age: a connection is
   * judged again as long as it lives, by the time at which it began.
   */
  constructor(maxAddresses: number) {
    this.#maxAddresses = maxAddresses;
  }

  /** Adding the offset puts the answers' times on the collector's clock. */
  learn(answers: readonly DnsAnswer[], clockOffsetUs: number): void {
    for (const answer of answers) this.#learn(answer, answer.atUs + clockOffsetUs);
  }

  /** What an endpoint was called before a restart, for connections that began then. */
  restore({ ip, names = [] }: Endpoint, atUs: number): void {
    if (ip === undefined) return;
    for (const name of names.toReversed()) this.#learn({ name, address: ip, atUs, ttlSeconds: 0 }, atUs);
  }

  /** The newest few, newest first. */
  at(address: Address, timeUs: number): readonly string[] {
    return this.allAt(address, timeUs).slice(0, maxNamesShown);
  }

  /** Newest first. */
  allAt(address: Address, timeUs: number): readonly string[] {
    const then = (this.#spans.get(address) ?? []).filter(
      ({ fromUs, untilUs }) => fromUs <= timeUs + answerToleranceUs && timeUs <= untilUs + lingerUs,
    );
    return then.reverse().map(({ name }) => name);
  }

  /** Spans stand in the order in which they were told last. */
  #learn({ name, address, ttlSeconds }: DnsAnswer, atUs: number): void {
    const spans = this.#spans.get(address) ?? [];
    const before = spans.find((span) => span.name === name);
    const span = before ?? { name, fromUs: atUs, lastAnswerUs: atUs, untilUs: atUs };
    span.fromUs = Math.min(span.fromUs, atUs);
    span.lastAnswerUs = Math.max(span.lastAnswerUs, atUs);
    span.untilUs = Math.max(span.untilUs, atUs + ttlSeconds * 1_000_000);
    const others = spans.filter((one) => one !== span);
    const later = others.findIndex((one) => one.lastAnswerUs > span.lastAnswerUs);
    others.splice(later < 0 ? others.length : later, 0, span);
    this.#spans.delete(address);
    this.#spans.set(address, others.slice(-maxNamesPerAddress));
    if (this.#spans.size > this.#maxAddresses) this.#spans.delete(this.#spans.keys().next().value!);
  }
}
