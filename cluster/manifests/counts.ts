// How many there are of each.

export type Counts = ReadonlyMap<string, number>;

export function count(counts: Map<string, number>, what: string, more: number): void {
  counts.set(what, (counts.get(what) ?? 0) + more);
}
