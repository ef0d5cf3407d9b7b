// The load of the policy benchmark: a cluster of any size with a default-deny in each namespace, policies by label, port
// and block, and cluster policies of both tiers. The objects are already read into Waybill's parties and policies.
import { PartyCache } from '../collector/identity/party-cache.ts';
import type { Address } from '../model/address.ts';
import { isPolicy, type Policy } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import type { PodParty } from '../policy/peers.ts';
import {
  appName,
  byLabel,
  EvenCluster,
  type KubernetesObject,
  namespaceName,
  networkPolicyObject,
  numbers,
  parsed,
  tcp,
} from './cluster.ts';

/** `pods` by namespace. */
export type PolicyLoad = { pods: PodParty[][]; policies: Policy[]; outside: Party[] };

const nodes = 100;
const podsPerNamespace = 100;
const workloadsPerNamespace = 20;
export const clusterPolicies = 20;
const outsideAddresses = 1_000;

export function policyLoad(pods: number, policies: number): PolicyLoad {
  const namespaces = pods / podsPerNamespace;
  const cluster = new EvenCluster({ nodes, namespaces, podsPerNamespace, workloadsPerNamespace });
  return {
    pods: partiesOf(cluster),
    policies: numbers(policies).map((i) =>
      i < clusterPolicies ? clusterPolicyOf(i) : networkPolicyOf(i % namespaces, Math.floor(i / namespaces)),
    ),
    outside: numbers(outsideAddresses).map((i) => ({
      kind: 'address',
      address: `203.0.${113 + Math.floor(i / 250)}.${1 + (i % 250)}` as Address,
    })),
  };
}

function partiesOf(cluster: EvenCluster): PodParty[][] {
  const objects = cluster
    .objects({
      namespaceLabels: (namespace) => ({ team: teamName(namespace), stage: 'prod' }),
      podLabels: (workload) => ({ tier: workload % 2 === 0 ? 'front' : 'back' }),
      ports: [
        { name: 'http', containerPort: 8080 },
        { name: 'metrics', containerPort: 9090 },
      ],
    })
    .map(parsed);
  const namespaceLabels = new Map(objects.flatMap((one) => (one.kind === 'Namespace' ? [[one.name, one.labels]] : [])));
  const parties = new PartyCache();
  const ofPods = objects.flatMap((one) =>
    one.kind === 'Pod'
      ? [parties.pod(one, one.addresses[0]!, namespaceLabels.get(one.namespace)!, true) as PodParty]
      : [],
  );
  return [...Map.groupBy(ofPods, (party) => party.namespace).values()];
}

const teamName = (number: number) => `team-${number % 10}`;
const ofTeam = (number: number) => byLabel('team', teamName(number));

/** The first policy of a namespace denies by default; each other one allows traffic between two workloads. */
export function networkPolicyOf(namespace: number, policy: number): Policy {
  const app = (number: number) => byLabel('app', appName(number % workloadsPerNamespace));
  const name = `policy-${policy}`;
  if (policy === 0) {
    const dnsNamespace = { namespaceSelector: byLabel('kubernetes.io/metadata.name', namespaceName(0)) };
    const egress = [{ to: [dnsNamespace], ports: [{ port: 53, protocol: 'UDP' as const }] }];
    return parsedPolicy(networkPolicyObject(namespaceName(namespace), name, { podSelector: {}, ingress: [], egress }));
  }
  const podSelector = app(policy * 7);
  const namespaceSelector = ofTeam(namespace + policy);
  const ipBlock = { cidr: `203.0.${113 + (policy % 4)}.0/24` };
  return parsedPolicy(
    networkPolicyObject(namespaceName(namespace), name, {
      podSelector: app(policy),
      ingress: [
        { from: [{ podSelector }], ports: [{ port: 'http', protocol: 'TCP' }] },
        { from: [{ namespaceSelector, podSelector }], ports: [{ port: 8000, endPort: 8100, protocol: 'TCP' }] },
      ],
      egress: [
        { to: [{ podSelector }, { namespaceSelector }], ports: tcp(8080) },
        { to: [{ ipBlock }], ports: tcp(443) },
      ],
    }),
  );
}

/** Half of them are in each tier; each is for the namespaces of one team. */
export function clusterPolicyOf(number: number): Policy {
  const isAdmin = number < clusterPolicies / 2;
  const action = isAdmin ? (number % 2 === 0 ? 'Deny' : 'Pass') : 'Accept';
  const peers = [{ namespaces: ofTeam(number + 3) }];
  const protocols = [{ tcp: { destinationPort: { number: 9000 + number } } }];
  return parsedPolicy({
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: `cluster-${number}` },
    spec: {
      tier: isAdmin ? 'Admin' : 'Baseline',
      priority: number,
      subject: { namespaces: ofTeam(number) },
      ingress: [{ action, from: peers, protocols }],
      egress: [
        { action, to: peers, protocols },
        { action, to: [{ networks: [`198.51.${number}.0/24`] }] },
      ],
    },
  });
}

function parsedPolicy(object: KubernetesObject): Policy {
  const policy = parsed(object);
  if (!isPolicy(policy)) throw new Error(`${object.kind} is not a policy`);
  return policy;
}
