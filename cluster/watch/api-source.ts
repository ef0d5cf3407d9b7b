// The cluster's objects from the API server: one reflector per resource, merged into one series of events.
import type { ClusterEvent, ClusterKind } from '../../model/kubernetes.ts';
import type { FormerObjects, KnownObjects } from '../../model/object-version.ts';
import type { Clock } from '../clock.ts';
import type { ClusterSource } from '../source.ts';
import type { ApiServer } from './api-server.ts';
import { Reflector } from './reflector.ts';
import { clusterResources, nodeResources } from './resources.ts';

export type ApiSourceOptions = {
  server: ApiServer;
  /** All objects, or only the pods of one node, since an agent runs on each of thousands of nodes. */
  scope: { of: 'cluster' } | { of: 'node'; node: string };
  clock: Clock;
  /** From 0 to 1. */
  random: () => number;
};

export function apiSource(options: ApiSourceOptions): ClusterSource {
  const ending = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  let reflectors: ReadonlyMap<ClusterKind, Reflector> = new Map();
  return {
    async start(receive, former) {
      const synced = Promise.withResolvers<void>();
      reflectors = reflectorsOf(options, receive, synced.resolve, former);
      const runs = [...reflectors.values()].map((reflector) => reflector.run(ending.signal));
      running = Promise.allSettled(runs);
      try {
        // A run ends before everything is synced only if a first list is refused, or by `stop`.
        await Promise.race([synced.promise, Promise.all(runs)]);
      } catch (error) {
        ending.abort();
        throw error;
      }
    },
    known() {
      const untilUs: KnownObjects['untilUs'] = {};
      const versions: Record<string, string> = {};
      for (const [kind, reflector] of reflectors) {
        const known = reflector.known();
        if (known === undefined) continue;
        untilUs[kind] = known.untilUs;
        for (const [key, version] of known.versions) versions[key] = version;
      }
      return { untilUs, versions };
    },
    async stop() {
      ending.abort();
      await running;
    },
  };
}

function reflectorsOf(
  options: ApiSourceOptions,
  receive: (event: ClusterEvent) => void,
  synced: () => void,
  former: FormerObjects | undefined,
): ReadonlyMap<ClusterKind, Reflector> {
  const { scope, server, clock, random } = options;
  const resources = scope.of === 'cluster' ? clusterResources : nodeResources(scope.node);
  const unsynced = new Set(resources);
  const formerByKind = former && Map.groupBy(former.objects, ({ object }) => object.kind);
  const reflectors = resources.map((resource): [ClusterKind, Reflector] => {
    const onListed = (): void => {
      const last = unsynced.delete(resource) && unsynced.size === 0;
      if (!last) return;
      receive({ type: 'synced', atUs: clock.nowUs() });
      synced();
    };
    const { kind } = resource;
    const onStale = (sinceUs: number): void => receive({ type: 'stale', kind, sinceUs, atUs: clock.nowUs() });
    const onFresh = (): void => receive({ type: 'fresh', kind, atUs: clock.nowUs() });
    const listFrom = scope.of === 'cluster' ? 'etcd' : 'cache';
    const ofFormer = former && {
      former: { untilUs: former.untilUs[kind] ?? 0, objects: formerByKind?.get(kind) ?? [] },
    };
    const events = { receive, onListed, onStale, onFresh };
    return [kind, new Reflector({ server, resource, listFrom, clock, random, ...events, ...ofFormer })];
  });
  return new Map(reflectors);
}
