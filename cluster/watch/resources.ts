// The kinds that are watched, and where the API server has them.

export type Resource = {
  kind: string;
  apiVersion: string;
  /** In the path of the request, and in a ClusterRole. */
  name: string;
  path: string;
  fieldSelector?: string;
  /** A kind that a cluster need not have: where the API server does not know it, there are no objects of it. */
  optional?: true;
};

/** What the collector needs: everything. */
export const clusterResources: readonly Resource[] = [
  core('Namespace', 'namespaces'),
  core('Node', 'nodes'),
  core('Service', 'services'),
  grouped('EndpointSlice', 'discovery.k8s.io/v1', 'endpointslices'),
  grouped('NetworkPolicy', 'networking.k8s.io/v1', 'networkpolicies'),
  optional('ClusterNetworkPolicy', 'policy.networking.k8s.io/v1alpha2', 'clusternetworkpolicies'),
  optional('AdminNetworkPolicy', 'policy.networking.k8s.io/v1alpha1', 'adminnetworkpolicies'),
  optional('BaselineAdminNetworkPolicy', 'policy.networking.k8s.io/v1alpha1', 'baselineadminnetworkpolicies'),
  core('Pod', 'pods'),
];

/** What an agent needs: the pods of its own node. */
export function nodeResources(node: string): readonly Resource[] {
  return [{ ...core('Pod', 'pods'), fieldSelector: `spec.nodeName=${node}` }];
}

function core(kind: string, name: string): Resource {
  return { kind, apiVersion: 'v1', name, path: `/api/v1/${name}` };
}

function grouped(kind: string, apiVersion: string, name: string): Resource {
  return { kind, apiVersion, name, path: `/apis/${apiVersion}/${name}` };
}

/** Of a CRD. */
function optional(kind: string, apiVersion: string, name: string): Resource {
  return { ...grouped(kind, apiVersion, name), optional: true };
}
