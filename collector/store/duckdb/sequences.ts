// The sequence numbers of the stored batches of one agent instance, as ranges. Gaps (batches that an agent dropped, or that
// were refused) are rare, so there are few ranges.

/** Above this, the gap between the lowest two ranges counts as stored. An agent drops its oldest batches and never sends them. */
const maxRanges = 1_000;

export class Sequences {
  /** Sorted, with a gap of at least one number between ranges. */
  readonly #ranges: { from: number; to: number }[] = [];

  has(sequence: number): boolean {
    const range = this.#ranges[this.#lastFrom(sequence)];
    return range !== undefined && sequence <= range.to;
  }

  add(sequence: number): void {
    this.addRange(sequence, sequence);
  }

  addRange(from: number, to: number): void {
    const before = this.#lastFrom(from);
    const left = this.#ranges[before];
    if (left !== undefined && from <= left.to + 1) left.to = Math.max(left.to, to);
    else this.#ranges.splice(before + 1, 0, { from, to });
    this.#mergeRanges(Math.max(before, 0));
    if (this.#ranges.length > maxRanges)
      this.#ranges.splice(0, 2, { from: this.#ranges[0]!.from, to: this.#ranges[1]!.to });
  }

  /** The index of the last range that begins at or before the number; -1 if all begin later. */
  #lastFrom(sequence: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.from <= sequence) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #mergeRanges(from: number): void {
    for (let i = from; i + 1 < this.#ranges.length; ) {
      const [left, right] = [this.#ranges[i]!, this.#ranges[i + 1]!];
      if (right.from > left.to + 1) {
        if (i > from) return;
        i += 1;
        continue;
      }
      left.to = Math.max(left.to, right.to);
      this.#ranges.splice(i + 1, 1);
    }
  }
}
