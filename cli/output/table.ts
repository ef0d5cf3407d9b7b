// A table as kubectl writes it: no borders, two blanks between columns. Too wide for the terminal, its widest column
// is cut.

/** Rows with the same keys, in the order of the columns; `width` is the terminal's, Infinity where there is none. */
export function tableText(rows: readonly Record<string, string>[], width: number): string {
  const names = Object.keys(rows[0] ?? {});
  const cells = [names.map((name) => name.toUpperCase()), ...rows.map((row) => names.map((name) => clean(row[name]!)))];
  const widths = names.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  while (sum(widths) + 2 * (widths.length - 1) > width) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= 12) break;
    widths[widest]! -= 1;
  }
  const lines = cells.map((row) =>
    row
      .map((cell, column) => fitted(cell, widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

function fitted(cell: string, width: number): string {
  return cell.length > width ? `${cell.slice(0, width - 1)}…` : cell.padEnd(width);
}

function clean(cell: string): string {
  return cell.replace(/\p{Cc}/gu, '?');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
