// Where the cluster's objects come from: a folder of manifests or an API server, told as one series of events.
import type { ClusterEvent } from '../model/kubernetes.ts';

export type ClusterSource = {
  /**
   * Calls `receive` for each object there is, then `synced`, then for each change, in order and never concurrently.
   * An object that was put before and is put again replaces it. After `deaf`, what was told stands and may be old
   * until the next `synced`. Resolves once synced or stopped; rejects with a ProblemError where the source cannot be read at all.
   */
  start(receive: (event: ClusterEvent) => void): Promise<void>;
  stop(): Promise<void>;
};
