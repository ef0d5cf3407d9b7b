// What each connection or finding has added to a sum so far. A later version adds the difference only, and a removed one is
// subtracted.
export type Fields = Record<string, number>;
export type Group = { key: string; measurement: string; tags: Record<string, string> };

type Contribution = { group: Group; fields: Fields };

export class Contributions {
  readonly #maxContributions: number;
  readonly #add: (group: Group, fields: Fields) => void;
  /** Both oldest first. Ended ones are evicted before living ones, because they hardly change again. */
  readonly #living = new Map<string, Contribution>();
  readonly #ended = new Map<string, Contribution>();
  /** One object for each group, shared by its contributions. */
  readonly #groups = new Map<string, { group: Group; contributions: number }>();

  /** Remembers at most `maxContributions`. One that was evicted counts as new when it is put again. */
  constructor(maxContributions: number, add: (group: Group, fields: Fields) => void) {
    this.#maxContributions = maxContributions;
    this.#add = add;
  }

  put(id: string, state: 'living' | 'ended', group: Group, fields: Fields): void {
    const previous = this.#forget(id);
    this.restore(id, state, group, fields);
    if (previous === undefined) this.#add(group, fields);
    else if (previous.group.key === group.key) this.#add(group, difference(fields, previous.fields));
    else {
      this.#add(previous.group, difference({}, previous.fields));
      this.#add(group, fields);
    }
  }

  /** The finding no longer exists, or the connection was merged into another one. */
  remove(id: string): void {
    const previous = this.#forget(id);
    if (previous !== undefined) this.#add(previous.group, difference({}, previous.fields));
  }

  /** Remembers a contribution that was added before a restart. */
  restore(id: string, state: 'living' | 'ended', group: Group, fields: Fields): void {
    this.#forget(id);
    const entry = this.#groups.get(group.key) ?? { group, contributions: 0 };
    entry.contributions += 1;
    this.#groups.set(group.key, entry);
    (state === 'ended' ? this.#ended : this.#living).set(id, { group: entry.group, fields });
    if (this.#living.size + this.#ended.size <= this.#maxContributions) return;
    const oldest = this.#ended.keys().next().value ?? this.#living.keys().next().value;
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(id: string): Contribution | undefined {
    const share = this.#living.get(id) ?? this.#ended.get(id);
    if (share === undefined) return undefined;
    this.#living.delete(id);
    this.#ended.delete(id);
    const entry = this.#groups.get(share.group.key)!;
    entry.contributions -= 1;
    if (entry.contributions === 0) this.#groups.delete(share.group.key);
    return share;
  }
}

function difference(fields: Fields, previous: Fields): Fields {
  return Object.fromEntries(Object.keys(previous).map((name) => [name, (fields[name] ?? 0) - previous[name]!]));
}
