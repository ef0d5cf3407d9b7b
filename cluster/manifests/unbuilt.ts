// What stands in a folder for Helm or Kustomize to make manifests of. It is named once for each chart and kustomization,
// with what mends it, instead of once for each file that makes no sense alone.
import { posix } from 'node:path';
import type { Problem } from '../../model/problem.ts';
import { chartAround, chartsAmong } from './charts.ts';
import { helmTemplates, kustomizationNotBuilt } from './errors.ts';
import type { Manifest } from './manifest.ts';

/** `unread`: those of `problems` by which something was left out. */
export type Unbuilt = { manifests: Manifest[]; problems: Problem[]; unread: Problem[] };

/** By name of the file. Patches are passed over: applied by nobody, they would stand for the objects that they change. */
export function withoutUnbuilt(files: ReadonlyMap<string, Manifest>): Unbuilt {
  const patches = new Set([...files.values()].flatMap(({ kustomization }) => kustomization?.patches ?? []));
  const manifests = Array.from(files, ([name, manifest]) => (patches.has(name) ? passedOver(manifest) : manifest));
  const unread = chartProblems(files);
  return { manifests, problems: [...unread, ...kustomizationProblems(files)], unread };
}

function passedOver(manifest: Manifest): Manifest {
  const documents = manifest.entries.length + manifest.passedOver;
  return {
    ...manifest,
    entries: [],
    problems: [],
    unread: [],
    otherKinds: new Map(),
    passedOver: Math.max(1, documents),
  };
}

function chartProblems(files: ReadonlyMap<string, Manifest>): Problem[] {
  const charts = chartsAmong([...files.keys()]);
  const counts = new Map<string, { count: number; chart: string | undefined }>();
  for (const [name, { template }] of files) {
    if (!template) continue;
    const chart = chartAround(name, charts);
    const place = chart === undefined ? posix.dirname(name) : posix.join(chart, 'Chart.yaml');
    counts.set(place, { count: (counts.get(place)?.count ?? 0) + 1, chart });
  }
  return Array.from(counts, ([place, { count, chart }]) => helmTemplates(place, count, chart));
}

function kustomizationProblems(files: ReadonlyMap<string, Manifest>): Problem[] {
  return Array.from(files, ([name, { kustomization }]) => {
    const changes = kustomization?.changes ?? [];
    return changes.length === 0 ? [] : kustomizationNotBuilt(name, posix.dirname(name), changes);
  }).flat();
}
