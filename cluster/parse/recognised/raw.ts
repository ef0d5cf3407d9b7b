// Reads values of a policy that is not evaluated. Nothing here is an error: what has an unexpected form is undefined, and the
// caller then assumes every possible meaning.

export type RawMap = Readonly<Record<string, unknown>>;

/** Undefined for anything but a map. */
export function mapOf(raw: unknown): RawMap | undefined {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw) ? (raw as RawMap) : undefined;
}

/** The field of a map; undefined if it is missing or null. */
export function fieldOf(raw: unknown, name: string): unknown {
  const map = mapOf(raw);
  return map !== undefined && Object.hasOwn(map, name) ? (map[name] ?? undefined) : undefined;
}

/** Empty if it is missing; `unreadable` for anything but a list. */
export function listOf(raw: unknown): readonly unknown[] | 'unreadable' {
  if (raw === undefined || raw === null) return [];
  return Array.isArray(raw) ? raw : 'unreadable';
}

export function isGiven(raw: unknown): boolean {
  return raw !== undefined && raw !== null;
}
