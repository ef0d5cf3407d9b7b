// Counts by name.

export type Counts = ReadonlyMap<string, number>;

export function count(counts: Map<string, number>, name: string, added: number): void {
  counts.set(name, (counts.get(name) ?? 0) + added);
}
