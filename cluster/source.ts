// A source of the cluster's objects: a folder of manifests or an API server.
import type { ClusterEvent } from '../model/kubernetes.ts';

export type ClusterSource = {
  /**
   * Calls `receive` for each existing object, then with `synced`, then for each change, in order and one at a time. A
   * second `put` of an object replaces the first. Between `stale` and `fresh` of a kind, its reported objects may be out of
   * date. Resolves once synced or stopped; rejects with a ProblemError if the source cannot be read at all.
   */
  start(receive: (event: ClusterEvent) => void): Promise<void>;
  stop(): Promise<void>;
};
