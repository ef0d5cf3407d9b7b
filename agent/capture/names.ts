// What pods are told of addresses by DNS. An answer that was told before is told again only when it holds much longer now,
// so that a name which is asked for all the time costs next to nothing.
import type { NameAnswer } from '../../model/name-answer.ts';
import { dnsAnswers } from './decode/dns.ts';
import type { NameSink } from './source.ts';

/** `untilUs` is how long it holds as far as it was told. */
type Known = { answer: NameAnswer; untilUs: number };

/** Answers that hold shorter are not told more often than those that hold so long. */
const leastHoldSeconds = 60;
const mostTtlSeconds = 86_400;

export class Names implements NameSink {
  readonly #limit: number;
  /** By name and address; the one that was told first stands first. */
  readonly #known = new Map<string, Known>();
  /** Those that wait to be told. */
  readonly #fresh = new Set<string>();

  /** Remembers `limit` answers at most; one that is forgotten is told again when it comes again. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  take(protocol: number, bytes: Uint8Array, timeUs: number): void {
    dnsAnswers(protocol, bytes, (name, address, ttl) => {
      this.#learn({ name, address, atUs: timeUs, ttlSeconds: Math.min(ttl, mostTtlSeconds) });
    });
  }

  /** What is to be told, at most so many; the rest is left for the next time. */
  drain(most: number): NameAnswer[] {
    const answers: NameAnswer[] = [];
    for (const key of this.#fresh) {
      if (answers.length === most) break;
      this.#fresh.delete(key);
      answers.push(this.#known.get(key)!.answer);
    }
    return answers;
  }

  /** For a collector that may have begun anew: everything that still holds is told once more. */
  tellAgain(nowUs: number): void {
    for (const [key, { untilUs }] of this.#known) {
      if (untilUs > nowUs) this.#fresh.add(key);
    }
  }

  #learn(answer: NameAnswer): void {
    const key = `${answer.name} ${answer.address}`;
    const holdUs = Math.max(answer.ttlSeconds, leastHoldSeconds) * 1_000_000;
    const before = this.#known.get(key);
    if (before !== undefined && before.untilUs - answer.atUs >= holdUs / 2) return;
    this.#known.delete(key);
    this.#known.set(key, { answer, untilUs: answer.atUs + holdUs });
    this.#fresh.add(key);
    if (this.#known.size <= this.#limit) return;
    const oldest = this.#known.keys().next().value!;
    this.#known.delete(oldest);
    this.#fresh.delete(oldest);
  }
}
