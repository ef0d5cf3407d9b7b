// A budget of the design and its measured figure, as the line that scripts read (docs/benchmarks.md).

export type Budget = {
  name: string;
  figure: number;
  unit: string;
  limit: number;
  /** The side of the limit that meets the budget. */
  better: 'lower' | 'higher';
};

/** `budget replay-vs-nfpcapd 0.83 x limit 1.00 missed` */
export function budgetLine({ name, figure, unit, limit, better }: Budget): string {
  const met = better === 'lower' ? figure <= limit : figure >= limit;
  return `budget ${name} ${formatted(figure)} ${unit} limit ${formatted(limit)} ${met ? 'met' : 'missed'}`;
}

export function printBudgets(...budgets: readonly Budget[]): void {
  for (const budget of budgets) process.stdout.write(`${budgetLine(budget)}\n`);
}

export function isBudgetLine(line: string): boolean {
  return /^budget \S+ \S+ \S+ limit \S+ (met|missed)$/.test(line);
}

function formatted(figure: number): string {
  return figure >= 1000 ? String(Math.round(figure)) : figure.toFixed(2);
}

/** `figures` in any order; `share` from 0 to 1; nearest rank. */
export function percentile(figures: readonly number[], share: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function median(figures: readonly number[]): number {
  return percentile(figures, 0.5);
}
