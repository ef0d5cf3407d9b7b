// Opens the source that the settings name: a folder of manifests or the API server.
import type { Clock } from './clock.ts';
import { manifestSource } from './manifests/watch.ts';
import type { ClusterSource } from './source.ts';
import { accessByKubeconfig, accessByServiceAccount } from './watch/access.ts';
import { apiServer } from './watch/api-server.ts';
import { apiSource } from './watch/api-source.ts';

/** Paths. Without any path, the source is the API server, with the service account of this pod. */
export type ClusterPlace = { manifests: readonly string[]; kubeconfig: string };

/** With `node`, an API server source reports only the pods of that node; undefined means all objects. */
export function openClusterSource(place: ClusterPlace, node: string | undefined, clock: Clock): ClusterSource {
  if (place.manifests.length > 0) return manifestSource(place.manifests, clock);
  let source: ClusterSource | undefined;
  let stopped = false;
  return {
    async start(receive, former) {
      const access = place.kubeconfig === '' ? accessByServiceAccount() : accessByKubeconfig(place.kubeconfig);
      const scope = node === undefined ? { of: 'cluster' as const } : { of: 'node' as const, node };
      const server = apiServer(await access);
      if (stopped) return;
      source = apiSource({ server, scope, clock, random: Math.random });
      await source.start(receive, former);
    },
    known: () => source?.known() ?? { untilUs: {}, versions: {} },
    async stop() {
      stopped = true;
      await source?.stop();
    },
  };
}
