// A cluster of 10,000 pods on ten nodes with 2,000 policies, as manifests and as its agents tell of it, and connections
// between its pods.
import { type Address, parseAddress } from '../model/address.ts';
import { TCP } from '../model/protocol.ts';
import { ACK, type ConnectionRecord, SYN } from '../model/record.ts';
import type { WireInterface } from '../proto/wire.ts';

export const nodes = 10;
const podsANode = 1_000;
const namespaces = 100;
const policiesANamespace = 20;
const workloadsANamespace = 20;
const pods = nodes * podsANode;
const serverPorts = [80, 443, 5432, 6379, 8080];
const second = 1_000_000;

export const nodeName = (node: number) => `node-${node}`;

export function clusterManifest(): string {
  const items = [
    ...numbers(namespaces).map((i) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: `ns-${i}` } })),
    ...numbers(nodes).map(node),
    ...numbers(pods).map(pod),
    ...numbers(namespaces * policiesANamespace).map(policy),
  ];
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

function node(i: number) {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: nodeName(i) },
    spec: { podCIDRs: [`10.${128 + i}.0.0/16`] },
    status: { addresses: [{ type: 'InternalIP', address: `192.0.2.${1 + i}` }] },
  };
}

const podsANamespace = pods / namespaces;
const replicas = podsANamespace / workloadsANamespace;
const nodeOf = (pod: number) => pod % nodes;
const indexOf = (pod: number) => Math.floor(pod / nodes);
const namespaceOf = (pod: number) => indexOf(pod) % namespaces;
/** A workload's replicas stand on nodes that follow one another. */
const workloadOf = (pod: number) => Math.floor(numberOf(pod) / replicas);
/** Of a pod in its namespace. */
const numberOf = (pod: number) => Math.floor(indexOf(pod) / namespaces) * nodes + nodeOf(pod);

function podOf(namespace: number, number: number): number {
  return (Math.floor(number / nodes) * namespaces + namespace) * nodes + (number % nodes);
}

export function addressOf(pod: number): Address {
  const index = indexOf(pod) + 1;
  return parseAddress(`10.${128 + nodeOf(pod)}.${index >> 8}.${index & 255}`)!;
}

function pod(i: number) {
  const app = `app-${workloadOf(i)}`;
  const podIP = addressOf(i);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `pod-${i}`,
      namespace: `ns-${namespaceOf(i)}`,
      uid: `uid-${i}`,
      labels: { app, 'app.kubernetes.io/name': app, 'pod-template-hash': '6d4f9c' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: app, uid: app, controller: true }],
    },
    spec: { nodeName: nodeName(nodeOf(i)), containers: [{ name: 'main', image: 'example' }] },
    status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }] },
  };
}

/** The first of a namespace isolates all of it; each other lets some workloads of every namespace reach one of its own. */
function policy(i: number) {
  const [namespace, number] = [i % namespaces, Math.floor(i / namespaces)];
  const from = [1, 3, 7, 11].map((step) => ({
    namespaceSelector: {},
    podSelector: { matchLabels: { app: `app-${(number + step) % workloadsANamespace}` } },
  }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `policy-${number}`, namespace: `ns-${namespace}` },
    spec: {
      podSelector: number === 0 ? {} : { matchLabels: { app: `app-${number}` } },
      policyTypes: ['Ingress'],
      ingress: number === 0 ? [] : [{ from, ports: serverPorts.map((port) => ({ port, protocol: 'TCP' })) }],
    },
  };
}

/** What the agent of a node tells of its interfaces. */
export function interfacesOf(onNode: number, watchedSinceUs: number): WireInterface[] {
  return numbers(podsANode).map((index) => {
    const pod = index * nodes + onNode;
    return {
      index: index + 1,
      name: `veth${index}`,
      podUid: `uid-${pod}`,
      addresses: [addressOf(pod)],
      watchedSinceUs,
      seesFromPod: true,
      seesToPod: true,
      goneUs: 0,
      gapFreeSinceUs: 0,
    };
  });
}

/** Records of one interval, by node: each of `connections` is seen at both of its ends, and answered. */
export type Interval = { connections: number; startUs: number; is: 'first' | 'further' };

export function* recordsOf({
  connections,
  startUs,
  is,
}: Interval): Generator<{ node: number; record: ConnectionRecord }> {
  for (let i = 0; i < connections; i++) {
    const from = scattered(i, pods);
    const to = peerOf(from, i);
    const beganUs = startUs + (i % 1_000) * 1_000;
    const firstUs = is === 'first' ? beganUs : beganUs + 30 * second;
    const seen = (point: ConnectionRecord['point'], pod: number): { node: number; record: ConnectionRecord } => ({
      node: nodeOf(pod),
      record: {
        initiator: addressOf(from),
        initiatorPort: 32_768 + (i % 28_000),
        responder: addressOf(to),
        responderPort: serverPorts[workloadOf(to) % serverPorts.length]!,
        protocol: TCP,
        point,
        interfaceIndex: indexOf(pod) + 1,
        podUid: '',
        initiatorBy: 'handshake',
        beganUs,
        firstUs,
        lastUs: firstUs + second,
        packets: { forward: 8, reverse: 7 },
        frames: 15,
        bytes: { forward: 1_200, reverse: 9_000 },
        tcpFlags: is === 'first' ? { forward: SYN | ACK, reverse: SYN | ACK } : { forward: ACK, reverse: ACK },
        synRetries: 0,
        unreachable: false,
        answered: true,
        deliveryUnproven: false,
        rttUs: is === 'first' ? 250 : 0,
        ended: false,
        translation: undefined,
      },
    });
    yield seen('source', from);
    yield seen('destination', to);
  }
}

/** A workload speaks with five of its namespace, of which policies let it reach three. */
function peerOf(pod: number, i: number): number {
  const step = [19, 17, 13, 2, 5][i % 5]!;
  const workload = (workloadOf(pod) + step) % workloadsANamespace;
  return podOf(namespaceOf(pod), workload * replicas + scattered(i + 7_919, replicas));
}

/** The same for the same number, and in no order that a cache would foresee (Knuth's multiplicative hash). */
function scattered(i: number, below: number): number {
  return (Math.imul(i, 2_654_435_761) >>> 0) % below;
}

/** From 0. */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
