// The worlds that `waybill connectivity` lists or compares: one for each folder of manifests, and what is told of them.
import type { Writable } from 'node:stream';
import { readManifests } from '../cluster/manifests/read.ts';
import type { World } from '../connectivity/lines.ts';
import { problemLine } from '../model/problem.ts';
import { passedOverText } from './output/passed-over.ts';
import { Parties } from './verdict-parties.ts';

/** `whole`: all of it could be read. */
export type ReadWorld = World & { path: string; whole: boolean; otherKinds: string | undefined };

/** What cannot be read, and what was passed over, are lines on stderr: each once. */
export async function readWorlds(paths: readonly string[], stderr: Writable): Promise<ReadWorld[]> {
  const worlds: ReadWorld[] = [];
  const told = new Set<string>();
  for (const path of paths) {
    const { objects, problems, unread, otherKinds } = await readManifests(path);
    for (const problem of problems) told.add(problemLine(problem));
    const parties = new Parties(objects);
    const world = { residents: parties.residents(), policies: parties.policies };
    // Beside another world, one with nothing in it is that in which nothing is declared yet.
    const leftOut = unread.filter(({ code }) => paths.length === 1 || code !== 'nothing-to-read');
    worlds.push({ ...world, path, whole: leftOut.length === 0, otherKinds: passedOverText(otherKinds) });
  }
  for (const { path, otherKinds } of worlds) if (otherKinds !== undefined) told.add(`${path}: ${otherKinds}`);
  for (const line of told) stderr.write(`${line}\n`);
  return worlds;
}

/** A line for each world where nobody (of these namespaces) lives: where nobody is, nothing is denied. */
export function emptyWorlds(worlds: readonly ReadWorld[], namespaces: readonly string[] | undefined): string[] {
  const whose = namespaces === undefined ? '' : ` of ${namespaces.join(', ')}`;
  const isMeant = (namespace: string) => namespaces === undefined || namespaces.includes(namespace);
  return worlds
    .filter(({ residents }) => !residents.some((one) => one.kind === 'workload' && isMeant(one.namespace)))
    .map(
      ({ path, otherKinds }) => `no workloads${whose} in ${path}${otherKinds === undefined ? '' : ` (${otherKinds})`}`,
    );
}
