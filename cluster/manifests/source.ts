// An object as it was written, for those who ask what a manifest says and what was only defaulted.
import type { Path } from '../parse/field.ts';

export class Source {
  readonly #raw: unknown;
  readonly #locate: (path: Path) => string;

  constructor(raw: unknown, locate: (path: Path) => string) {
    this.#raw = raw;
    this.#locate = locate;
  }

  /** `db.yaml:14`: the line of the part, or of the nearest part around it that is there. */
  locate(path: Path): string {
    return this.#locate(path);
  }

  /** Undefined where it is not there; null counts as left out. */
  value(path: Path): unknown {
    let value = this.#raw;
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
      value = (value as Record<string | number, unknown>)[step];
    }
    return value ?? undefined;
  }
}
