// A cluster of any size, the same on every run: namespaces with a default-deny and policies by label, port and block, a
// few cluster policies of both tiers, and pods of twenty workloads in each namespace.
import type { Address } from '../model/address.ts';
import { parsePrefix } from '../model/address.ts';
import type { ClusterPolicy, LabelSelector, Labels, NetworkPolicy, Policy, PolicyRule } from '../model/kubernetes.ts';
import { TCP, UDP } from '../model/protocol.ts';
import type { Party } from '../model/verdict.ts';

export type PodParty = Party & { kind: 'pod' };
export type PolicyCluster = { pods: PodParty[]; policies: Policy[]; outside: Party[] };

const podsANamespace = 100;
const workloadsANamespace = 20;
export const clusterPolicies = 20;
const outsides = 1_000;

export function policyCluster(pods: number, policies: number): PolicyCluster {
  const namespaces = Math.ceil(pods / podsANamespace);
  return {
    pods: Array.from({ length: pods }, (_, i) => podOf(i % namespaces, Math.floor(i / namespaces), i)),
    policies: Array.from({ length: policies }, (_, i) =>
      i < clusterPolicies
        ? clusterPolicyOf(i, 'first')
        : networkPolicyOf(i % namespaces, Math.floor(i / namespaces), 'first'),
    ),
    outside: Array.from({ length: outsides }, (_, i) => ({
      kind: 'address',
      address: `203.0.${113 + Math.floor(i / 250)}.${1 + (i % 250)}` as Address,
    })),
  };
}

const labelsOfNamespaces = new Map<number, Labels>();

function namespaceLabels(namespace: number): Labels {
  const known = labelsOfNamespaces.get(namespace);
  if (known !== undefined) return known;
  const labels = { 'kubernetes.io/metadata.name': `ns-${namespace}`, team: `team-${namespace % 10}`, stage: 'prod' };
  labelsOfNamespaces.set(namespace, labels);
  return labels;
}

export function podOf(namespace: number, pod: number, number: number): PodParty {
  return {
    kind: 'pod',
    namespace: `ns-${namespace}`,
    name: `pod-${pod}`,
    labels: {
      app: `app-${pod % workloadsANamespace}`,
      'app.kubernetes.io/name': `app-${pod % workloadsANamespace}`,
      'pod-template-hash': '6d4f9c',
      tier: pod % 2 === 0 ? 'front' : 'back',
    },
    namespaceLabels: namespaceLabels(namespace),
    addresses: [`10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}` as Address],
    node: `node-${number % 100}`,
    ports: [
      { name: 'http', port: 8080, protocol: TCP },
      { name: 'metrics', port: 9090, protocol: TCP },
    ],
  };
}

const is = (key: string, value: string): LabelSelector => [{ key, operator: 'In', values: [value] }];
const dns: PolicyRule = {
  peers: [{ namespaceSelector: is('kubernetes.io/metadata.name', 'ns-0') }],
  ports: [{ protocol: UDP, port: 53 }],
};

/** The first of a namespace denies by default; the others each let one workload speak to another. */
export function networkPolicyOf(namespace: number, policy: number, version: string): NetworkPolicy {
  const named = {
    kind: 'NetworkPolicy' as const,
    namespace: `ns-${namespace}`,
    name: `policy-${policy}`,
    uid: `${namespace}/${policy}/${version}`,
    createdUs: 0,
  };
  if (policy === 0) return { ...named, podSelector: [], ingress: [], egress: [dns] };
  const from = is('app', `app-${(policy * 7) % workloadsANamespace}`);
  const to = is('app', `app-${policy % workloadsANamespace}`);
  const team = is('team', `team-${(namespace + policy) % 10}`);
  const block = { cidr: parsePrefix(`203.0.${113 + (policy % 4)}.0/24`)!, except: [] };
  return {
    ...named,
    podSelector: to,
    ingress: [
      { peers: [{ podSelector: from }], ports: [{ protocol: TCP, port: 'http' }] },
      {
        peers: [{ namespaceSelector: team, podSelector: from }],
        ports: [{ protocol: TCP, port: 8000, endPort: 8100 }],
      },
    ],
    egress: [
      { peers: [{ podSelector: from }, { namespaceSelector: team }], ports: [{ protocol: TCP, port: 8080 }] },
      { peers: [{ ipBlock: block }], ports: [{ protocol: TCP, port: 443 }] },
    ],
  };
}

/** Half of them stand in each tier; each is of one team's namespaces. */
export function clusterPolicyOf(number: number, version: string): ClusterPolicy {
  const admin = number < clusterPolicies / 2;
  const rule = {
    name: '',
    action: admin ? (number % 2 === 0 ? ('Deny' as const) : ('Pass' as const)) : ('Accept' as const),
    peers: [{ pods: { namespaceSelector: is('team', `team-${(number + 3) % 10}`) } }],
    ports: [{ protocol: TCP, port: 9000 + number }],
  };
  const networks = { ...rule, peers: [{ networks: [parsePrefix(`198.51.${number}.0/24`)!] }], ports: [] };
  return {
    kind: 'ClusterNetworkPolicy',
    namespace: '',
    name: `cluster-${number}`,
    uid: `cluster/${number}/${version}`,
    createdUs: 0,
    tier: admin ? 'Admin' : 'Baseline',
    priority: number,
    subject: { namespaceSelector: is('team', `team-${number % 10}`) },
    ingress: [rule],
    egress: [rule, networks],
  };
}
