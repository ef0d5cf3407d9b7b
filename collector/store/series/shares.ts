// What each connection or finding has added to which sum so far: a later version of it adds only what it grew by, and
// what was taken back is subtracted.
export type Fields = Record<string, number>;
export type Group = { key: string; measurement: string; tags: Record<string, string> };

type Share = { group: Group; fields: Fields };

export class Shares {
  readonly #most: number;
  readonly #add: (group: Group, fields: Fields) => void;
  /** Oldest first. What has ended will hardly come again, so it is forgotten before all that lives. */
  readonly #living = new Map<string, Share>();
  readonly #ended = new Map<string, Share>();
  /** One object for a group, whatever the number of its shares. */
  readonly #groups = new Map<string, { group: Group; shares: number }>();

  /** Remembers at most `most`; one that is forgotten and comes again is a new one. */
  constructor(most: number, add: (group: Group, fields: Fields) => void) {
    this.#most = most;
    this.#add = add;
  }

  put(id: string, state: 'living' | 'ended', group: Group, fields: Fields): void {
    const before = this.#forget(id);
    this.know(id, state, group, fields);
    if (before === undefined) this.#add(group, fields);
    else if (before.group.key === group.key) this.#add(group, less(fields, before.fields));
    else {
      this.#add(before.group, less({}, before.fields));
      this.#add(group, fields);
    }
  }

  /** It is none any more, or part of another. */
  takeBack(id: string): void {
    const before = this.#forget(id);
    if (before !== undefined) this.#add(before.group, less({}, before.fields));
  }

  /** It was added before the program started. */
  know(id: string, state: 'living' | 'ended', group: Group, fields: Fields): void {
    this.#forget(id);
    const held = this.#groups.get(group.key) ?? { group, shares: 0 };
    held.shares += 1;
    this.#groups.set(group.key, held);
    (state === 'ended' ? this.#ended : this.#living).set(id, { group: held.group, fields });
    if (this.#living.size + this.#ended.size <= this.#most) return;
    const oldest = this.#ended.keys().next().value ?? this.#living.keys().next().value;
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(id: string): Share | undefined {
    const share = this.#living.get(id) ?? this.#ended.get(id);
    if (share === undefined) return undefined;
    this.#living.delete(id);
    this.#ended.delete(id);
    const held = this.#groups.get(share.group.key)!;
    held.shares -= 1;
    if (held.shares === 0) this.#groups.delete(share.group.key);
    return share;
  }
}

function less(fields: Fields, before: Fields): Fields {
  return Object.fromEntries(Object.keys(before).map((name) => [name, (fields[name] ?? 0) - before[name]!]));
}
