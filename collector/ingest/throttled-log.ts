// Logs the first event of a kind at once and counts its repetitions, so that a peer cannot fill the log. The status has the
// exact counts.
import type { Logger } from 'pino';

const intervalUs = 60_000_000;
/** Most kinds that are remembered; the one that was logged longest ago is forgotten first. */
const maxKinds = 10_000;

export class ThrottledLog {
  readonly #log: Pick<Logger, 'warn'>;
  readonly #nowUs: () => number;
  readonly #kinds = new Map<string, { loggedUs: number; repeated: number }>();

  constructor(log: Pick<Logger, 'warn'>, nowUs: () => number) {
    this.#log = log;
    this.#nowUs = nowUs;
  }

  /** `kind` identifies the event, such as its message and node. At most one line a minute; `repeated` counts the others. */
  warn(kind: string, fields: Record<string, unknown>, message: string): void {
    const now = this.#nowUs();
    const known = this.#kinds.get(kind);
    if (known !== undefined && now - known.loggedUs < intervalUs) {
      known.repeated += 1;
      return;
    }
    this.#kinds.delete(kind);
    this.#kinds.set(kind, { loggedUs: now, repeated: 0 });
    if (this.#kinds.size > maxKinds) this.#kinds.delete(this.#kinds.keys().next().value!);
    this.#log.warn({ ...fields, ...(known?.repeated ? { repeated: known.repeated } : {}) }, message);
  }
}
