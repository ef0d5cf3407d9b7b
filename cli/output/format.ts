// Formats lists for people (table, wide, compact) and for programs (json, jsonl, yaml).
import { escapeControls } from '../../model/escape.ts';
import { jsonText } from './json.ts';
import type { Screen } from './screen.ts';
import { type Style, tableText } from './table.ts';
import { yamlText } from './yaml.ts';

export const outputs = ['table', 'wide', 'json', 'jsonl', 'yaml', 'compact'] as const;
export type Output = (typeof outputs)[number];

/** Formats items of one kind as text. */
export type ItemFormatter<Item> = {
  columns(item: Item, wide: boolean): Record<string, string>;
  /** The lines that `wide` shows below the row. */
  detail(item: Item): readonly string[];
  compact(item: Item): string;
  style(item: Item): Style;
  /** Shown for an empty list. */
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
      return yamlText(items);
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

/** Formats one item of an endless list. A table would need all its rows, so it becomes `compact`; `json` becomes `jsonl`. */
export function formatStreamedItem<Item>(
  item: Item,
  output: Output,
  formatter: ItemFormatter<Item>,
  screen: Screen,
): string {
  if (output === 'json' || output === 'jsonl') return formatItems([item], 'jsonl', formatter, screen);
  return formatItems([item], output === 'yaml' ? 'yaml' : 'compact', formatter, screen);
}
