// Lists in the formats that users ask for: for people (table, wide, compact) and for programs (json, jsonl, yaml).
import { stringify } from 'yaml';
import { tableText } from './table.ts';

export const outputs = ['table', 'wide', 'json', 'jsonl', 'yaml', 'compact'] as const;
export type Output = (typeof outputs)[number];

/** How one kind of thing is shown to people. */
export type Shape<Item> = {
  columns(item: Item, wide: boolean): Record<string, string>;
  compact(item: Item): string;
  /** Said where there is nothing to show. */
  none: string;
};

export function shown<Item>(items: readonly Item[], output: Output, shape: Shape<Item>, width: number): string {
  switch (output) {
    case 'json':
      return `${JSON.stringify(items, null, 2)}\n`;
    case 'jsonl':
      return items.map((item) => `${JSON.stringify(item)}\n`).join('');
    case 'yaml':
      return stringify(items);
    case 'compact':
      return items.map((item) => `${safe(shape.compact(item))}\n`).join('');
    case 'table':
    case 'wide':
      if (items.length === 0) return `${shape.none}\n`;
      return tableText(
        items.map((item) => shape.columns(item, output === 'wide')),
        width,
      );
  }
}

/** What came from the network or from labels may hold anything: control characters never reach the terminal. */
export function safe(text: string): string {
  return text.replace(/\p{Cc}/gu, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
