// A kustomization as far as it matters to who reads its folder as it is: what it would change, and which files are
// patches, which look like objects and are only parts of some.
import { posix } from 'node:path';

export type Kustomization = {
  /** Names of files, as those of the folder that was asked for. */
  patches: readonly string[];
  /** What it would change of what policies see, in the words of its fields. */
  changes: readonly string[];
};

export function isKustomization(name: string): boolean {
  return ['kustomization.yaml', 'kustomization.yml', 'Kustomization'].includes(posix.basename(name));
}

/** Images, replicas and generated ConfigMaps are nothing to a policy. */
const changing = [
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
  const listed = ['patches', 'patchesStrategicMerge', 'patchesJson6902'].flatMap((field) => listOf(map[field]));
  const paths = listed.flatMap((patch) => pathOf(patch) ?? []);
  const changes = changing.filter((field) => isSet(map[field]));
  if (listed.length > 0) changes.push(paths.length > 0 ? `patches (${shortened(paths)})` : 'patches');
  return { patches: paths.map((path) => posix.join(posix.dirname(name), path)), changes };
}

/** Of a patch in a file of its own; one that is written in place has several lines. */
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
