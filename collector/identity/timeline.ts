// Versions of one thing over time: what was in force when. Bounded: the oldest versions go first.

type Version<Value> = { fromUs: number; value: Value };

export class Timeline<Value> {
  readonly #versions: Version<Value>[] = [];
  readonly #maxVersions: number;

  constructor(maxVersions: number) {
    this.#maxVersions = maxVersions;
  }

  /** `value` holds from `fromUs` on. A time before the latest version's counts as that version's. */
  put(value: Value, fromUs: number): void {
    const latest = this.#versions.at(-1);
    this.#versions.push({ fromUs: latest === undefined ? fromUs : Math.max(fromUs, latest.fromUs), value });
    if (this.#versions.length > this.#maxVersions) this.#versions.shift();
  }

  /** What held at that time; undefined for a time before the first version. */
  at(timeUs: number): Value | undefined {
    for (let i = this.#versions.length - 1; i >= 0; i--) {
      const version = this.#versions[i]!;
      if (version.fromUs <= timeUs) return version.value;
    }
    return undefined;
  }

  get earliest(): Value | undefined {
    return this.#versions[0]?.value;
  }

  get latest(): Value | undefined {
    return this.#versions.at(-1)?.value;
  }
}
