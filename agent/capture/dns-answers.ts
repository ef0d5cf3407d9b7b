// The addresses that DNS answers give to pods. An answer that was sent to the collector is sent again only if it is now
// valid for much longer. So a name that pods ask for all the time costs almost nothing.
import type { DnsAnswer } from '../../model/dns-answer.ts';
import { readDnsAnswers } from './decode/dns.ts';
import type { DnsSink } from './source.ts';

/** `expiresUs` is when the answer that was sent becomes invalid. */
type RememberedAnswer = { answer: DnsAnswer; expiresUs: number };

/** Answers with a shorter time to live are treated as if they had this one. */
const minTtlSeconds = 60;
const maxTtlSeconds = 86_400;

export class DnsAnswers implements DnsSink {
  readonly #maxAnswers: number;
  /** By name and address; the oldest first. */
  readonly #answers = new Map<string, RememberedAnswer>();
  /** Keys of answers that are not sent yet. */
  readonly #pending = new Set<string>();

  /** Remembers at most `maxAnswers`; one that was evicted is sent again when it is seen again. */
  constructor(maxAnswers: number) {
    this.#maxAnswers = maxAnswers;
  }

  receive(protocol: number, bytes: Uint8Array, timeUs: number): void {
    readDnsAnswers(protocol, bytes, (name, address, ttl) => {
      this.#learn({ name, address, atUs: timeUs, ttlSeconds: Math.min(ttl, maxTtlSeconds) });
    });
  }

  /** The answers to send, at most `max`; the others wait for the next call. */
  drain(max: number): DnsAnswer[] {
    const answers: DnsAnswer[] = [];
    for (const key of this.#pending) {
      if (answers.length === max) break;
      this.#pending.delete(key);
      answers.push(this.#answers.get(key)!.answer);
    }
    return answers;
  }

  /** For a collector that may have restarted: sends all answers again that are still valid. */
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
