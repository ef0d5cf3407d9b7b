// Helm charts in a folder: which files are templates, which Helm must render first, and which only describe the chart.
import { posix } from 'node:path';

/** `chart-metadata`: Chart.yaml, values and similar files, which hold no objects. */
export type FileRole = 'manifest' | 'template' | 'chart-metadata';

/** The folders that hold a Chart.yaml. `names` are relative to the scanned folder, which is `.`. */
export function chartFolders(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.filter((name) => posix.basename(name) === 'Chart.yaml').map((name) => posix.dirname(name)));
}

export function roleOf(name: string, charts: ReadonlySet<string>): FileRole {
  const chart = foldersAround(name).find((folder) => charts.has(folder));
  if (chart === undefined) return 'manifest';
  const within = chart === '.' ? name : name.slice(chart.length + 1);
  if (within.startsWith('templates/')) return 'template';
  return chartMetadata.test(within) ? 'chart-metadata' : 'manifest';
}

/** The outermost chart that contains the file: the one to run Helm on. */
export function outermostChart(name: string, charts: ReadonlySet<string>): string | undefined {
  return foldersAround(name).findLast((folder) => charts.has(folder));
}

const chartMetadata = /^(?:Chart\.ya?ml|requirements\.ya?ml|values[^/]*\.(?:ya?ml|json)|ci\/.*)$/;

/** Innermost first. */
function foldersAround(name: string): string[] {
  const folders = [posix.dirname(name)];
  while (folders.at(-1) !== '.') folders.push(posix.dirname(folders.at(-1)!));
  return folders;
}
