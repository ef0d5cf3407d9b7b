// The watched kinds, and their paths on the API server.
import type { ClusterKind } from '../../model/kubernetes.ts';
import { groupOfKind, recognisedKinds, type WatchedKind, watchedFactsOf } from '../../model/recognised-policy.ts';

export type Resource = {
  kind: ClusterKind;
  apiVersion: string;
  /** The plural, with the group for a policy of another API. */
  name: string;
  path: string;
  fieldSelector?: string;
  /** A kind that a cluster may lack: if the API server does not know it, there are no objects of it. */
  optional?: true;
};

/** Watched by the collector. */
export const clusterResources: readonly Resource[] = [
  core('Namespace', 'namespaces'),
  core('Node', 'nodes'),
  core('Service', 'services'),
  grouped('EndpointSlice', 'discovery.k8s.io/v1', 'endpointslices'),
  grouped('NetworkPolicy', 'networking.k8s.io/v1', 'networkpolicies'),
  optional('ClusterNetworkPolicy', 'policy.networking.k8s.io/v1alpha2', 'clusternetworkpolicies'),
  optional('AdminNetworkPolicy', 'policy.networking.k8s.io/v1alpha1', 'adminnetworkpolicies'),
  optional('BaselineAdminNetworkPolicy', 'policy.networking.k8s.io/v1alpha1', 'baselineadminnetworkpolicies'),
  ...recognisedKinds.map(ofOtherApi),
  core('Pod', 'pods'),
];

/** Watched by an agent: the pods of its own node. */
export function nodeResources(node: string): readonly Resource[] {
  return [{ ...core('Pod', 'pods'), fieldSelector: `spec.nodeName=${node}` }];
}

function core(kind: ClusterKind, name: string): Resource {
  return { kind, apiVersion: 'v1', name, path: `/api/v1/${name}` };
}

function grouped(kind: ClusterKind, apiVersion: string, name: string): Resource {
  return { kind, apiVersion, name, path: `/apis/${apiVersion}/${name}` };
}

/** A kind from a CRD. */
function optional(kind: ClusterKind, apiVersion: string, name: string): Resource {
  return { ...grouped(kind, apiVersion, name), optional: true };
}

function ofOtherApi(kind: WatchedKind): Resource {
  const { version, resource } = watchedFactsOf(kind);
  const group = groupOfKind(kind);
  return { ...optional(kind, `${group}/${version}`, resource), name: `${resource}.${group}` };
}

/** The part of a query that limits the objects. */
export function selectorOf({ fieldSelector }: Resource): Readonly<Record<string, string>> {
  return fieldSelector === undefined ? {} : { fieldSelector };
}
