// What /readyz answers: whether verdicts rest on the cluster as it is now.
import { reasonText } from '../policy/explain.ts';
import type { Readiness } from './api/server.ts';
import type { ClusterHistory } from './identity/cluster-history.ts';

export function readinessOf(cluster: Pick<ClusterHistory, 'synced' | 'staleKinds'>): ReturnType<Readiness> {
  if (!cluster.synced) return { ready: false, reason: "waiting for the cluster's objects" };
  const kinds = cluster.staleKinds;
  if (kinds.length === 0) return { ready: true, reason: 'ready' };
  return { ready: false, reason: reasonText({ reason: 'cluster-stale', kinds }) };
}
