// Expands a List, or a typed list such as PodList, into its objects. Items of a typed list have no kind of their own.
import type { FieldPath } from '../../model/field-path.ts';

export type ListItem = { raw: unknown; path: FieldPath };

/** Nested lists deeper than this are returned unexpanded. */
const maxDepth = 3;

/** Yields the items of a list, with their paths; any other value is yielded itself. */
export function* expandList(raw: unknown, path: FieldPath = [], depth = 0): Generator<ListItem> {
  const list = depth < maxDepth ? asList(raw) : undefined;
  if (list === undefined) {
    yield { raw, path };
    return;
  }
  for (const [index, item] of list.items.entries()) {
    yield* expandList(withKind(item, list), [...path, 'items', index], depth + 1);
  }
}

type List = { items: readonly unknown[]; kind: string; apiVersion: unknown };

function asList(raw: unknown): List | undefined {
  if (typeof raw !== 'object' || raw === null || !('kind' in raw) || !('items' in raw)) return undefined;
  const { kind, items } = raw;
  if (typeof kind !== 'string' || !kind.endsWith('List')) return undefined;
  // An empty typed list is written with `items: null`.
  if (items !== null && !Array.isArray(items)) return undefined;
  return {
    kind: kind.slice(0, -'List'.length),
    items: items ?? [],
    apiVersion: 'apiVersion' in raw ? raw.apiVersion : undefined,
  };
}

function withKind(item: unknown, list: List): unknown {
  if (list.kind === '' || typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  return { kind: list.kind, apiVersion: list.apiVersion, ...item };
}
