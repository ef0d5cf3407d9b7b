// DNS names of an address at a given time, from the answers that pods got. They are not verified: they are shown, and
// verdicts depend on them only for `domainNames` (rule 24).
import type { Address } from '../../model/address.ts';
import type { DnsAnswer } from '../../model/dns-answer.ts';
import type { Endpoint } from '../../model/endpoint.ts';

/** From the first answer to the end of the latest answer's time to live. */
type NameSpan = { name: string; fromUs: number; lastAnswerUs: number; untilUs: number };

/**
 * How long a name is valid after its time to live. Programs keep using an address: connection pools do not resolve again,
 * runtimes cache too long, and an agent does not report every renewal.
 */
const lingerUs = 600_000_000;
/** The times of an answer and of the connection that follows may come from the clocks of two nodes. */
const answerToleranceUs = 1_000_000;
/** Names kept for one address, because a CDN serves thousands of names from one. */
const maxNamesPerAddress = 16;
const maxNamesShown = 5;

export class DnsNames {
  readonly #spans = new Map<Address, NameSpan[]>();
  readonly #maxAddresses: number;

  /**
   * Keeps the names of the `maxAddresses` addresses that were resolved last. Names do not expire by age: a connection is
   * re-evaluated as long as it lives, with the names that were valid when it began.
   */
  constructor(maxAddresses: number) {
    this.#maxAddresses = maxAddresses;
  }

  /** The offset converts the times of the answers to the collector's clock. */
  learn(answers: readonly DnsAnswer[], clockOffsetUs: number): void {
    for (const answer of answers) this.#learn(answer, answer.atUs + clockOffsetUs);
  }

  /** Restores the names of an endpoint after a restart, for connections that began before it. */
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

  /** Spans are in the order of their last answers. */
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
