// A List, or a typed one such as PodList, into its objects; items of a typed list carry no kind of their own.
import type { Path } from './field.ts';

export type Item = { raw: unknown; path: Path };

/** Lists within lists are followed this deep; deeper ones come out as they are, which is no kind of ours. */
const depthMost = 3;

export function* unfold(raw: unknown, path: Path = [], depth = 0): Generator<Item> {
  const list = depth < depthMost ? asList(raw) : undefined;
  if (list === undefined) {
    yield { raw, path };
    return;
  }
  for (const [index, item] of list.items.entries()) {
    yield* unfold(typed(item, list), [...path, 'items', index], depth + 1);
  }
}

type List = { items: readonly unknown[]; kind: string; apiVersion: unknown };

function asList(raw: unknown): List | undefined {
  if (typeof raw !== 'object' || raw === null || !('kind' in raw) || !('items' in raw)) return undefined;
  const { kind, items } = raw;
  if (typeof kind !== 'string' || !kind.endsWith('List')) return undefined;
  // A typed list of nothing is written with `items: null`.
  if (items !== null && !Array.isArray(items)) return undefined;
  return {
    kind: kind.slice(0, -'List'.length),
    items: items ?? [],
    apiVersion: 'apiVersion' in raw ? raw.apiVersion : undefined,
  };
}

function typed(item: unknown, list: List): unknown {
  if (list.kind === '' || typeof item !== 'object' || item === null || Array.isArray(item)) return item;
  return { kind: list.kind, apiVersion: list.apiVersion, ...item };
}
