// Lists in the formats that users ask for: for people (table, wide, compact) and for programs (json, jsonl, yaml).
import { stringify } from 'yaml';
import { escapeControls, escapeYaml, jsonText } from './escape.ts';
import type { Screen } from './screen.ts';
import { type Style, tableText } from './table.ts';

export const outputs = ['table', 'wide', 'json', 'jsonl', 'yaml', 'compact'] as const;
export type Output = (typeof outputs)[number];

/** How one kind of thing is shown to people. */
export type ItemFormatter<Item> = {
  columns(item: Item, wide: boolean): Record<string, string>;
  /** The lines that `wide` shows below the row. */
  detail(item: Item): readonly string[];
  compact(item: Item): string;
  style(item: Item): Style;
  /** Said where there is nothing to show. */
  emptyText: string;
};

export function formatItems<Item>(
  items: readonly Item[],
  output: Output,
  formatter: ItemFormatter<Item>,
  screen: Screen,
): string {
  switch (output) {
    case 'json':
      return `${jsonText(items, 2)}\n`;
    case 'jsonl':
      return items.map((item) => `${jsonText(item)}\n`).join('');
    case 'yaml':
      return escapeYaml(stringify(items), () => stringify(items, { defaultStringType: 'QUOTE_DOUBLE' }));
    case 'compact':
      return items.map((item) => `${escapeControls(formatter.compact(item))}\n`).join('');
    case 'table':
    case 'wide':
      if (items.length === 0) return `${formatter.emptyText}\n`;
      return tableText(
        items.map((item) => ({
          cells: formatter.columns(item, output === 'wide'),
          detail: output === 'wide' ? formatter.detail(item) : [],
          style: formatter.style(item),
        })),
        screen,
      );
  }
}

/** One thing of a list that has no end: JSON stays JSON, a YAML list goes on, a table would wait for its last row. */
export function formatStreamedItem<Item>(
  item: Item,
  output: Output,
  formatter: ItemFormatter<Item>,
  screen: Screen,
): string {
  if (output === 'json' || output === 'jsonl') return formatItems([item], 'jsonl', formatter, screen);
  return formatItems([item], output === 'yaml' ? 'yaml' : 'compact', formatter, screen);
}
