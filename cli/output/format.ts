// Lists in the formats that users ask for: for people (table, wide, compact) and for programs (json, jsonl, yaml).
import { stringify } from 'yaml';
import { jsonText, safe, yamlSafe } from './safe.ts';
import type { Screen } from './screen.ts';
import { type Style, tableText } from './table.ts';

export const outputs = ['table', 'wide', 'json', 'jsonl', 'yaml', 'compact'] as const;
export type Output = (typeof outputs)[number];

/** How one kind of thing is shown to people. */
export type Shape<Item> = {
  columns(item: Item, wide: boolean): Record<string, string>;
  /** What `wide` says below its line. */
  below(item: Item): string;
  compact(item: Item): string;
  style(item: Item): Style;
  /** Said where there is nothing to show. */
  none: string;
};

export function shown<Item>(items: readonly Item[], output: Output, shape: Shape<Item>, screen: Screen): string {
  switch (output) {
    case 'json':
      return `${jsonText(items, 2)}\n`;
    case 'jsonl':
      return items.map((item) => `${jsonText(item)}\n`).join('');
    case 'yaml':
      return yamlSafe(stringify(items), () => stringify(items, { defaultStringType: 'QUOTE_DOUBLE' }));
    case 'compact':
      return items.map((item) => `${safe(shape.compact(item))}\n`).join('');
    case 'table':
    case 'wide':
      if (items.length === 0) return `${shape.none}\n`;
      return tableText(
        items.map((item) => ({
          cells: shape.columns(item, output === 'wide'),
          below: output === 'wide' ? shape.below(item) : '',
          style: shape.style(item),
        })),
        screen,
      );
  }
}

/** One thing of a list that has no end: JSON stays JSON, a YAML list goes on, a table would wait for its last row. */
export function shownAlone<Item>(item: Item, output: Output, shape: Shape<Item>, screen: Screen): string {
  if (output === 'json' || output === 'jsonl') return shown([item], 'jsonl', shape, screen);
  return shown([item], output === 'yaml' ? 'yaml' : 'compact', shape, screen);
}
