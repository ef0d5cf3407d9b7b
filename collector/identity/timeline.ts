// Versions of one object over time. Bounded: the oldest versions are dropped first.

type Version<Value> = { fromUs: number; value: Value };

export class Timeline<Value> {
  readonly #versions: Version<Value>[] = [];
  readonly #maxVersions: number;
  /** No version was dropped. */
  #complete = true;

  constructor(maxVersions: number) {
    this.#maxVersions = maxVersions;
  }

  /** `value` is valid from `fromUs` on, but not before the version that was put last. */
  put(value: Value, fromUs: number): void {
    const latest = this.#versions.at(-1);
    this.#versions.push({ fromUs: latest === undefined ? fromUs : Math.max(fromUs, latest.fromUs), value });
    if (this.#versions.length <= this.#maxVersions) return;
    this.#versions.shift();
    this.#complete = false;
  }

  /** The version at that time; undefined before the first version, unless older ones were dropped. */
  at(timeUs: number): Value | undefined {
    for (let i = this.#versions.length - 1; i >= 0; i--) {
      const version = this.#versions[i]!;
      if (version.fromUs <= timeUs) return version.value;
    }
    return this.#complete ? undefined : this.earliest;
  }

  /** The versions of that span, oldest first; for a span before the first version, that one. */
  between(fromUs: number, untilUs: number): Value[] {
    const latest = this.#versions.at(-1);
    if (latest === undefined) return [];
    if (latest.fromUs <= fromUs) return [latest.value];
    const versions = this.#versions.filter(
      (version, index) =>
        version.fromUs <= untilUs && (this.#versions[index + 1]?.fromUs ?? Number.POSITIVE_INFINITY) > fromUs,
    );
    return versions.length > 0 ? versions.map(({ value }) => value) : [this.#versions[0]!.value];
  }

  get earliest(): Value | undefined {
    return this.#versions[0]?.value;
  }

  get latest(): Value | undefined {
    return this.#versions.at(-1)?.value;
  }
}

/** The timeline of that key, which is new if there was none. */
export function timelineOf<Value>(
  timelines: Map<string, Timeline<Value>>,
  key: string,
  maxVersions: number,
): Timeline<Value> {
  const known = timelines.get(key);
  if (known !== undefined) return known;
  const fresh = new Timeline<Value>(maxVersions);
  timelines.set(key, fresh);
  return fresh;
}
