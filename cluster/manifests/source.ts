// An object as written in its manifest, which shows whether a value was written or is a default.
import type { FieldPath } from '../../model/field-path.ts';

export class Source {
  readonly #raw: unknown;
  readonly #locate: (path: FieldPath) => string;

  constructor(raw: unknown, locate: (path: FieldPath) => string) {
    this.#raw = raw;
    this.#locate = locate;
  }

  /** `db.yaml:14`: the line of the part, or of the nearest existing part that contains it. */
  locate(path: FieldPath): string {
    return this.#locate(path);
  }

  /** Undefined if the value is missing or null. */
  value(path: FieldPath): unknown {
    let value = this.#raw;
    for (const step of path) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
      value = (value as Record<string | number, unknown>)[step];
    }
    return value ?? undefined;
  }
}
