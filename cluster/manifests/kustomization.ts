// The parts of a kustomization that matter when its folder is read without building it: what it would change, and which
// files are patches. A patch looks like an object, but it is only a part of one.
import { posix } from 'node:path';

export type Kustomization = {
  /** File names, relative to the scanned folder. */
  patches: readonly string[];
  /** The fields of the kustomization whose changes matter to policies. */
  changes: readonly string[];
};

export function isKustomization(name: string): boolean {
  return ['kustomization.yaml', 'kustomization.yml', 'Kustomization'].includes(posix.basename(name));
}

/** Images, replicas and generated ConfigMaps do not matter to a policy. */
const relevantFields = [
  'namespace',
  'namePrefix',
  'nameSuffix',
  'labels',
  'commonLabels',
  'components',
  'replacements',
  'vars',
  'transformers',
  'generators',
  'helmCharts',
];

export function readKustomization(raw: unknown, name: string): Kustomization {
  const map = typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>) : {};
  const patches = ['patches', 'patchesStrategicMerge', 'patchesJson6902'].flatMap((field) => listOf(map[field]));
  const paths = patches.flatMap((patch) => pathOf(patch) ?? []);
  const changes = relevantFields.filter((field) => isSet(map[field]));
  if (patches.length > 0) changes.push(paths.length > 0 ? `patches (${shortened(paths)})` : 'patches');
  return { patches: paths.map((path) => posix.join(posix.dirname(name), path)), changes };
}

/** The path of a patch in its own file; undefined for an inline patch, which has several lines. */
function pathOf(patch: unknown): string | undefined {
  const path = typeof patch === 'object' && patch !== null && 'path' in patch ? patch.path : patch;
  return typeof path === 'string' && !path.includes('\n') ? path : undefined;
}

function shortened(paths: readonly string[]): string {
  const some = paths.slice(0, 3).join(', ');
  return paths.length > 3 ? `${some} and ${paths.length - 3} more` : some;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isSet(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== '';
}
