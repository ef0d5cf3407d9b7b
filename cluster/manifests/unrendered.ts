// Files that Helm or Kustomize must render first. They are one problem for each chart or kustomization, with the command to
// run, instead of one for each file.
import { posix } from 'node:path';
import type { Problem } from '../../model/problem.ts';
import { chartFolders, outermostChart } from './charts.ts';
import { helmTemplates, kustomizationNotBuilt } from './errors.ts';
import type { Manifest } from './manifest.ts';

/** `unread`: the `problems` that kept something from being read. */
export type FilteredManifests = { manifests: Manifest[]; problems: Problem[]; unread: Problem[] };

/**
 * `files` by name; `titleOf` makes the title of a file or folder, of its name. Patches are ignored: they would replace the
 * objects that they are meant to change.
 */
export function withoutUnrendered(
  files: ReadonlyMap<string, Manifest>,
  titleOf: (name: string) => string,
): FilteredManifests {
  const patches = new Set([...files.values()].flatMap(({ kustomization }) => kustomization?.patches ?? []));
  const manifests = Array.from(files, ([name, manifest]) => (patches.has(name) ? withoutObjects(manifest) : manifest));
  const unread = chartProblems(files, titleOf);
  return { manifests, problems: [...unread, ...kustomizationProblems(files, titleOf)], unread };
}

function withoutObjects(manifest: Manifest): Manifest {
  const documents = manifest.entries.length + manifest.ignored;
  return {
    ...manifest,
    entries: [],
    problems: [],
    unread: [],
    otherKinds: new Map(),
    customResources: [],
    ignored: Math.max(1, documents),
  };
}

function chartProblems(files: ReadonlyMap<string, Manifest>, titleOf: (name: string) => string): Problem[] {
  const charts = chartFolders([...files.keys()]);
  const counts = new Map<string, { count: number; chart: string | undefined }>();
  for (const [name, { template }] of files) {
    if (!template) continue;
    const chart = outermostChart(name, charts);
    const place = chart === undefined ? posix.dirname(name) : posix.join(chart, 'Chart.yaml');
    counts.set(place, { count: (counts.get(place)?.count ?? 0) + 1, chart });
  }
  return Array.from(counts, ([place, { count, chart }]) =>
    helmTemplates(titleOf(place), count, chart && titleOf(chart)),
  );
}

function kustomizationProblems(files: ReadonlyMap<string, Manifest>, titleOf: (name: string) => string): Problem[] {
  return Array.from(files, ([name, { kustomization }]) => {
    const changes = kustomization?.changes ?? [];
    return changes.length === 0 ? [] : kustomizationNotBuilt(titleOf(name), titleOf(posix.dirname(name)), changes);
  }).flat();
}
