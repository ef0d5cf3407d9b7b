// How many connections each member of a rolled-up finding has: ports and protocols are numbers, responders have keys. A
// member without connections is no member.

export type MemberCounts<Member> = {
  readonly size: number;
  add(member: Member, connections: number): void;
  /** False if the member has no connection. */
  remove(member: Member): boolean;
  /** In ascending order. */
  entries(): Iterable<[member: Member, connections: number]>;
  /** For the store; the parser of the class reads it. */
  text(): string;
};

const numbers = 65_536;
const maxByte = 255;

/** Takes 64 KiB, however many ports it counts. */
export class NumberCounts implements MemberCounts<number> {
  /** At most 255 for each number; the rest is in `#beyond`. */
  readonly #counts = new Uint8Array(numbers);
  readonly #beyond = new Map<number, number>();
  #size = 0;

  /** Ranges of equal counts: `22:3,80-90:1`. What cannot be read counts nothing. */
  static parse(text: string): NumberCounts {
    const counts = new NumberCounts();
    for (const range of text.split(',')) {
      const [, from, to, connections] = /^(\d+)(?:-(\d+))?:(\d+)$/.exec(range) ?? [];
      for (let member = Number(from); member <= Number(to ?? from); member++) counts.add(member, Number(connections));
    }
    return counts;
  }

  get size(): number {
    return this.#size;
  }

  add(member: number, connections: number): void {
    if (connections === 0) return;
    const before = this.#counts[member]!;
    if (before === 0) this.#size += 1;
    this.#counts[member] = Math.min(before + connections, maxByte);
    const beyond = Math.max(0, before + connections - maxByte);
    if (beyond > 0) this.#beyond.set(member, (this.#beyond.get(member) ?? 0) + beyond);
  }

  remove(member: number): boolean {
    const beyond = this.#beyond.get(member) ?? 0;
    if (beyond > 1) this.#beyond.set(member, beyond - 1);
    else if (beyond === 1) this.#beyond.delete(member);
    else {
      if (this.#counts[member] === 0) return false;
      this.#counts[member]! -= 1;
      if (this.#counts[member] === 0) this.#size -= 1;
    }
    return true;
  }

  *entries(): Generator<[number, number]> {
    for (let member = 0; member < numbers; member++) {
      const connections = this.#counts[member]!;
      if (connections > 0) yield [member, connections + (this.#beyond.get(member) ?? 0)];
    }
  }

  text(): string {
    const ranges: { from: number; to: number; connections: number }[] = [];
    for (const [member, connections] of this.entries()) {
      const last = ranges.at(-1);
      if (last !== undefined && last.to === member - 1 && last.connections === connections) last.to = member;
      else ranges.push({ from: member, to: member, connections });
    }
    return ranges.map(({ from, to, connections }) => `${from}${to > from ? `-${to}` : ''}:${connections}`).join(',');
  }
}

/** Its size depends on the workloads, nodes, Services and zones that are counted. */
export class KeyCounts implements MemberCounts<string> {
  readonly #counts = new Map<string, number>();

  /** Pairs of member and count as JSON. What cannot be read counts nothing. */
  static parse(text: string): KeyCounts {
    const counts = new KeyCounts();
    for (const entry of parseList(text)) {
      if (!Array.isArray(entry)) continue;
      const [member, connections] = entry;
      if (typeof member === 'string' && Number.isSafeInteger(connections)) counts.add(member, connections);
    }
    return counts;
  }

  get size(): number {
    return this.#counts.size;
  }

  add(member: string, connections: number): void {
    if (connections > 0) this.#counts.set(member, (this.#counts.get(member) ?? 0) + connections);
  }

  remove(member: string): boolean {
    const connections = this.#counts.get(member);
    if (connections === undefined) return false;
    if (connections > 1) this.#counts.set(member, connections - 1);
    else this.#counts.delete(member);
    return true;
  }

  entries(): [string, number][] {
    return [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  text(): string {
    return JSON.stringify(this.entries());
  }
}

function parseList(text: string): unknown[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}
