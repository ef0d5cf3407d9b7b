// What pods are told of addresses by DNS. An answer that was told before is told again only when it holds much longer now,
// so that a name which is asked for all the time costs next to nothing.
import type { DnsAnswer } from '../../model/dns-answer.ts';
import { readDnsAnswers } from './decode/dns.ts';
import type { DnsSink } from './source.ts';

/** `untilUs` is how long it holds as far as it was told. */
type RememberedAnswer = { answer: DnsAnswer; expiresUs: number };

/** Answers that hold shorter are not told more often than those that hold so long. */
const minTtlSeconds = 60;
const maxTtlSeconds = 86_400;

export class DnsAnswers implements DnsSink {
  readonly #maxAnswers: number;
  /** By name and address; the one that was told first stands first. */
  readonly #answers = new Map<string, RememberedAnswer>();
  /** Those that wait to be told. */
  readonly #pending = new Set<string>();

  /** Remembers `limit` answers at most; one that is forgotten is told again when it comes again. */
  constructor(maxAnswers: number) {
    this.#maxAnswers = maxAnswers;
  }

  receive(protocol: number, bytes: Uint8Array, timeUs: number): void {
    readDnsAnswers(protocol, bytes, (name, address, ttl) => {
      this.#learn({ name, address, atUs: timeUs, ttlSeconds: Math.min(ttl, maxTtlSeconds) });
    });
  }

  /** What is to be told, at most so many; the rest is left for the next time. */
  drain(max: number): DnsAnswer[] {
    const answers: DnsAnswer[] = [];
    for (const key of this.#pending) {
      if (answers.length === max) break;
      this.#pending.delete(key);
      answers.push(this.#answers.get(key)!.answer);
    }
    return answers;
  }

  /** For a collector that may have begun anew: everything that still holds is told once more. */
  resend(nowUs: number): void {
    for (const [key, { expiresUs }] of this.#answers) {
      if (expiresUs > nowUs) this.#pending.add(key);
    }
  }

  #learn(answer: DnsAnswer): void {
    const key = `${answer.name} ${answer.address}`;
    const validUs = Math.max(answer.ttlSeconds, minTtlSeconds) * 1_000_000;
    const before = this.#answers.get(key);
    if (before !== undefined && before.expiresUs - answer.atUs >= validUs / 2) return;
    this.#answers.delete(key);
    this.#answers.set(key, { answer, expiresUs: answer.atUs + validUs });
    this.#pending.add(key);
    if (this.#answers.size <= this.#maxAnswers) return;
    const oldest = this.#answers.keys().next().value!;
    this.#answers.delete(oldest);
    this.#pending.delete(oldest);
  }
}
