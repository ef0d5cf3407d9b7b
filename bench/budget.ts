// A budget of the design, measured: the line that scripts read (docs/benchmarks.md).

export type Budget = {
  name: string;
  figure: number;
  unit: string;
  limit: number;
  /** What counts as better than the limit. */
  better: 'lower' | 'higher';
};

/** `budget replay-vs-nfpcapd 0.83 x limit 1.00 missed` */
export function budgetLine({ name, figure, unit, limit, better }: Budget): string {
  const met = better === 'lower' ? figure <= limit : figure >= limit;
  return `budget ${name} ${shown(figure)} ${unit} limit ${shown(limit)} ${met ? 'met' : 'missed'}`;
}

export function isBudgetLine(line: string): boolean {
  return /^budget \S+ \S+ \S+ limit \S+ (met|missed)$/.test(line);
}

function shown(figure: number): string {
  return figure >= 1000 ? String(Math.round(figure)) : figure.toFixed(2);
}

/** Of figures in any order; `share` from 0 to 1, nearest rank. */
export function percentile(figures: readonly number[], share: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
