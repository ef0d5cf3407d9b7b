// One question and its input as plain data: policies as in their manifests, and both ends as in the model. The naive engine
// reads it directly, the real engine after a translation (translate.ts).
import type { Party } from '../../../model/verdict.ts';

export type RawRequirement = { key: string; operator: string; values?: string[] };
export type RawSelector = { matchLabels?: Record<string, string>; matchExpressions?: RawRequirement[] };

export type RawPeer = {
  podSelector?: RawSelector;
  namespaceSelector?: RawSelector;
  ipBlock?: { cidr: string; except?: string[] };
};
export type RawPort = { protocol?: string; port?: number | string; endPort?: number };
export type RawIngress = { from?: RawPeer[]; ports?: RawPort[] };
export type RawEgress = { to?: RawPeer[]; ports?: RawPort[] };
export type RawSpec = {
  podSelector?: RawSelector;
  policyTypes?: string[];
  ingress?: RawIngress[];
  egress?: RawEgress[];
};

/** Invalid parts: each is one typical error (translate.ts). */
export const faults = ['cidr', 'except', 'endPort', 'podSelector', 'policyTypes'] as const;
export type RawNetworkPolicy = {
  kind: 'NetworkPolicy';
  namespace: string;
  name: string;
  spec: RawSpec;
  fault?: (typeof faults)[number];
};

export type RawPods = { namespaceSelector: RawSelector; podSelector?: RawSelector };
export type RawClusterPeer =
  | { pods: RawPods }
  | { nodes: RawSelector }
  | { networks: string[] }
  | { domainNames: string[] };
export type RawClusterRule = {
  action: 'Accept' | 'Deny' | 'Pass';
  peers: RawClusterPeer[];
  /** Empty: every protocol. An entry without `protocol` is a name, of any protocol. */
  ports: RawPort[];
  notUnderstood?: string;
};
/** If `broken` is set, `priority` and `subject` may be missing, and only the directions of the lists count. */
export type RawClusterPolicy = {
  kind: 'ClusterNetworkPolicy' | 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy';
  name: string;
  tier: 'Admin' | 'Baseline';
  priority?: number;
  subject?: RawPods;
  ingress: RawClusterRule[];
  egress: RawClusterRule[];
  broken?: true;
};

export type RawPolicy = RawNetworkPolicy | RawClusterPolicy;
export type RawOptions = { ipBlockMatchesPods: boolean; declaredBy: 'any' | 'every' };

export type Question = { initiator: Party; responder: Party; protocol: number; port?: number };
export type Case = Question & { policies: readonly RawPolicy[]; options: RawOptions };

export function refOf(policy: RawPolicy): string {
  return policy.kind === 'NetworkPolicy'
    ? `NetworkPolicy ${policy.namespace}/${policy.name}`
    : `${policy.kind} ${policy.name}`;
}
