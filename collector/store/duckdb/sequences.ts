// The sequence numbers of the stored batches of one agent instance, as ranges. Gaps (batches that an agent dropped) are
// rare, so there are few ranges.

export class Sequences {
  /** Sorted, with a gap of at least one number between ranges. */
  readonly #ranges: { from: number; to: number }[] = [];

  has(sequence: number): boolean {
    return this.#ranges.some(({ from, to }) => from <= sequence && sequence <= to);
  }

  add(sequence: number): void {
    this.addRange(sequence, sequence);
  }

  addRange(from: number, to: number): void {
    const before = this.#ranges.findLastIndex((range) => range.from <= from);
    const left = this.#ranges[before];
    if (left !== undefined && from <= left.to + 1) left.to = Math.max(left.to, to);
    else this.#ranges.splice(before + 1, 0, { from, to });
    this.#mergeRanges(Math.max(before, 0));
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
