// Formats a table as kubectl does: no borders, two spaces between columns. If it is too wide for the terminal, the widest
// columns are cut.
import { escapeControls } from '../../model/escape.ts';
import type { Screen } from './screen.ts';

export type Style = 'red' | 'yellow' | 'blue' | 'plain';

/** All rows have the same cells, in the order of the columns. */
export type Row = {
  cells: Readonly<Record<string, string>>;
  /** Lines below the row; empty ones are skipped. */
  detail: readonly string[];
  /** Of the first cell. */
  style: Style;
};

const minColumnWidth = 12;
const ansiColors: Record<Exclude<Style, 'plain'>, number> = { red: 31, yellow: 33, blue: 34 };

export function tableText(rows: readonly Row[], screen: Screen): string {
  const names = Object.keys(rows[0]?.cells ?? {});
  const lines = rows.map((row) => names.map((name) => escapeControls(row.cells[name] ?? '')));
  const widths = fitWidths([names, ...lines], screen.width);
  let text = `${rowLine(
    names.map((name) => name.toUpperCase()),
    widths,
  )}\n`;
  for (const [i, row] of rows.entries()) {
    text += `${colorize(rowLine(lines[i]!, widths), widths[0]!, screen.color ? row.style : 'plain')}\n`;
    for (const line of row.detail) if (line !== '') text += `${wrapLine(escapeControls(line), screen.width)}\n`;
  }
  return text;
}

function fitWidths(cells: readonly (readonly string[])[], width: number): number[] {
  const widths = cells[0]!.map((_, column) => cells.reduce((max, row) => Math.max(max, row[column]!.length), 0));
  const total = () => widths.reduce((sum, one) => sum + one, 2 * (widths.length - 1));
  while (total() > width) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= minColumnWidth) break;
    widths[widest]! -= 1;
  }
  return widths;
}

function rowLine(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => fitCell(cell, widths[column]!))
    .join('  ')
    .trimEnd();
}

function fitCell(cell: string, width: number): string {
  return cell.length > width ? `${cell.slice(0, width - 1)}…` : cell.padEnd(width);
}

function colorize(text: string, width: number, style: Style): string {
  if (style === 'plain') return text;
  const cell = text.slice(0, width).trimEnd();
  return `\x1b[${ansiColors[style]}m${cell}\x1b[0m${text.slice(cell.length)}`;
}

/** Wraps at words: the first line is indented by four blanks, continuation lines by six. */
function wrapLine(line: string, width: number): string {
  const lines: string[] = [];
  let current = '   ';
  for (const word of line.split(' ')) {
    if (current.trim() !== '' && current.length + 1 + word.length > width) {
      lines.push(current);
      current = '     ';
    }
    current += ` ${word}`;
  }
  return [...lines, current].join('\n');
}
