// Reads the folders of manifests that `waybill connectivity` lists or compares, and reports their problems.
import type { Writable } from 'node:stream';
import { type Paths, readManifests } from '../cluster/manifests/read.ts';
import type { ClusterState } from '../connectivity/lines.ts';
import { problemLine } from '../model/problem.ts';
import { pathsText } from './manifest-paths.ts';
import { ignoredKindsText } from './output/ignored-kinds.ts';
import { printLine } from './output/print.ts';
import { PartyResolver } from './verdict-parties.ts';

/** `complete`: everything was read. `path`: all paths of this side. */
export type LoadedClusterState = ClusterState & { path: string; complete: boolean; otherKinds: string | undefined };

/** Writes each problem, and the number of ignored objects, to stderr once. */
export async function loadClusterStates(sides: readonly Paths[], stderr: Writable): Promise<LoadedClusterState[]> {
  const states: LoadedClusterState[] = [];
  const lines = new Set<string>();
  for (const paths of sides) {
    const { objects, problems, unread, otherKinds } = await readManifests(paths);
    for (const problem of problems) lines.add(problemLine(problem));
    const parties = new PartyResolver(objects);
    const state = { endpoints: parties.declaredEndpoints(), policies: parties.policies };
    // In a comparison, an empty folder is valid: nothing is declared yet.
    const unreadable = unread.filter(({ code }) => sides.length === 1 || code !== 'nothing-to-read');
    const path = pathsText(paths);
    states.push({ ...state, path, complete: unreadable.length === 0, otherKinds: ignoredKindsText(otherKinds) });
  }
  for (const { path, otherKinds } of states) if (otherKinds !== undefined) lines.add(`${path}: ${otherKinds}`);
  for (const line of lines) printLine(stderr, line);
  return states;
}

/** A line for each folder without workloads (in these namespaces): an empty list does not mean that all is denied. */
export function noWorkloadsLines(
  states: readonly LoadedClusterState[],
  namespaces: readonly string[] | undefined,
): string[] {
  const inNamespaces = namespaces === undefined ? '' : ` in namespace ${namespaces.join(' or ')}`;
  const isSelected = (namespace: string) => namespaces === undefined || namespaces.includes(namespace);
  return states
    .filter(({ endpoints }) => !endpoints.some((one) => one.kind === 'workload' && isSelected(one.namespace)))
    .map(
      ({ path, otherKinds }) =>
        `no workloads${inNamespaces} found in ${path}${otherKinds === undefined ? '' : ` (${otherKinds})`}`,
    );
}
