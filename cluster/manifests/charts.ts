// Helm charts in a folder: which of its files are templates, that are no manifests before Helm makes some of them, and
// which are a chart's own papers.
import { posix } from 'node:path';

/** `papers`: Chart.yaml, values and the like, which hold no objects. */
export type Role = 'manifest' | 'template' | 'papers';

/** The folders of charts among the files of these names; the folder that was asked for is `.`. */
export function chartsAmong(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.filter((name) => posix.basename(name) === 'Chart.yaml').map((name) => posix.dirname(name)));
}

export function roleOf(name: string, charts: ReadonlySet<string>): Role {
  const chart = foldersAround(name).find((folder) => charts.has(folder));
  if (chart === undefined) return 'manifest';
  const within = chart === '.' ? name : name.slice(chart.length + 1);
  if (within.startsWith('templates/')) return 'template';
  return papers.test(within) ? 'papers' : 'manifest';
}

/** The outermost chart around the file: the one that a person would give to Helm. */
export function chartAround(name: string, charts: ReadonlySet<string>): string | undefined {
  return foldersAround(name).findLast((folder) => charts.has(folder));
}

const papers = /^(?:Chart\.ya?ml|requirements\.ya?ml|values[^/]*\.(?:ya?ml|json)|ci\/.*)$/;

/** Innermost first. */
function foldersAround(name: string): string[] {
  const folders = [posix.dirname(name)];
  while (folders.at(-1) !== '.') folders.push(posix.dirname(folders.at(-1)!));
  return folders;
}
