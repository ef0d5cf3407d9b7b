// A source of the cluster's objects: a folder of manifests or an API server.
import type { ClusterEvent } from '../model/kubernetes.ts';
import type { FormerObjects, KnownObjects } from '../model/object-version.ts';

export type ClusterSource = {
  /**
   * Calls `receive` for each existing object, then with `synced`, then for each change, in order and one at a time. A
   * second `put` of an object replaces the first. Between `stale` and `fresh` of a kind, its reported objects may be out of
   * date. With `former`, only differences from these objects are reported, and `sinceUs` of those that happened at an
   * unknown time in between. Resolves once synced or stopped; rejects with a ProblemError if the source cannot be read at all.
   */
  start(receive: (event: ClusterEvent) => void, former?: FormerObjects): Promise<void>;
  /** What a later run needs to continue, together with the reported events. */
  known(): KnownObjects;
  stop(): Promise<void>;
};
