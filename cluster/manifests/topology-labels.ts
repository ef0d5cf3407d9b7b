// The labels of its node's zone and region that a pod may get when it is bound: from Kubernetes 1.35 on, if the node has them.
import type { ClusterObject, Labels } from '../../model/kubernetes.ts';
import { anyOrMissing } from '../../model/label-value.ts';

const topologyLabels: Labels = {
  'topology.kubernetes.io/region': anyOrMissing,
  'topology.kubernetes.io/zone': anyOrMissing,
};

/** `raw` is the manifest. One that the API server returned for a bound pod has all its labels. */
export function withTopologyLabels(object: ClusterObject, raw: unknown): ClusterObject {
  if (object.kind === 'Workload') {
    const { labels, pods } = object;
    const own = pods?.map((pod) => ({ ...pod, labels: withTopology(pod.labels) }));
    return { ...object, labels: withTopology(labels), ...(own && { pods: own }) };
  }
  if (object.kind !== 'Pod' || (object.node !== '' && hasUid(raw))) return object;
  return { ...object, labels: withTopology(object.labels) };
}

/** The result has no prototype, so a key such as `constructor` finds only a label. */
function withTopology(labels: Labels): Labels {
  return Object.assign(Object.create(null), topologyLabels, labels);
}

/** Only the API server gives a uid. */
function hasUid(raw: unknown): boolean {
  const { uid } = (raw as { metadata: { uid?: unknown } }).metadata;
  return typeof uid === 'string' && uid !== '';
}
