// Counts translations and DNS packets that were dropped because their ring, or an interface's share of it, was full. Logs
// them once a minute.
import type { Logger } from 'pino';

const logEveryUs = 60_000_000;

export class MissedEvents {
  readonly #log: Logger;
  #translations = 0;
  #dns = 0;
  #loggedUs = Number.NEGATIVE_INFINITY;

  constructor(log: Logger) {
    this.#log = log;
  }

  add({ translations, dns }: { translations: number; dns: number }, nowUs: number): void {
    this.#translations += translations;
    this.#dns += dns;
    if (this.#translations + this.#dns === 0 || nowUs - this.#loggedUs < logEveryUs) return;
    this.#loggedUs = nowUs;
    const counts = { translations: this.#translations, dns: this.#dns };
    this.#log.warn(counts, 'ring buffer full, translations or DNS packets dropped; lower capture.drainEvery');
    this.#translations = this.#dns = 0;
  }
}
