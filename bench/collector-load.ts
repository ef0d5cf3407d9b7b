// The load of the collector's benchmark: a cluster of 10,000 pods on ten nodes with 2,000 policies, the interfaces that
// its agents report, and the records of connections between its pods.
import { TCP } from '../model/protocol.ts';
import { ACK, type ConnectionRecord, SYN } from '../model/record.ts';
import type { WireInterface } from '../proto/wire.ts';
import {
  appName,
  byLabel,
  EvenCluster,
  type KubernetesObject,
  manifestOf,
  namespaceName,
  networkPolicyObject,
  numbers,
  podUid,
  tcp,
} from './cluster.ts';

const namespaces = 100;
const policiesPerNamespace = 20;
const workloadsPerNamespace = 20;
const serverPorts = [80, 443, 5432, 6379, 8080];
const second = 1_000_000;

const cluster = new EvenCluster({ nodes: 10, namespaces, podsPerNamespace: 100, workloadsPerNamespace });
export const { nodes } = cluster.size;

export function clusterManifest(): string {
  const policies = numbers(namespaces * policiesPerNamespace).map((i) =>
    policy(i % namespaces, Math.floor(i / namespaces)),
  );
  return manifestOf([...cluster.objects(), ...policies]);
}

/** The first policy of a namespace denies all ingress. Each other one allows four workloads of every namespace to reach one. */
function policy(namespace: number, policy: number): KubernetesObject {
  const from = [1, 3, 7, 11].map((step) => ({
    namespaceSelector: {},
    podSelector: byLabel('app', appName((policy + step) % workloadsPerNamespace)),
  }));
  return networkPolicyObject(namespaceName(namespace), `policy-${policy}`, {
    podSelector: policy === 0 ? {} : byLabel('app', appName(policy)),
    ingress: policy === 0 ? [] : [{ from, ports: tcp(...serverPorts) }],
  });
}

/** The interfaces that the agent of a node reports. */
export function interfacesOf(node: number, watchedSinceUs: number): WireInterface[] {
  return numbers(cluster.podsPerNode).map((index) => {
    const pod = cluster.podOnNode(node, index);
    return {
      index: index + 1,
      name: `veth${index}`,
      podUid: podUid(`pod-${pod}`),
      addresses: [cluster.addressOf(pod)],
      watchedSinceUs,
      seesFromPod: true,
      seesToPod: true,
      goneUs: 0,
      gapFreeSinceUs: 0,
    };
  });
}

/** Each of `connections` has a record at both ends, and is answered. */
export type Interval = { connections: number; startUs: number; is: 'first' | 'further' };

export function* recordsOf({
  connections,
  startUs,
  is,
}: Interval): Generator<{ node: number; record: ConnectionRecord }> {
  for (let i = 0; i < connections; i++) {
    const from = scattered(i, cluster.pods);
    const to = peerOf(from, i);
    const beganUs = startUs + (i % 1_000) * 1_000;
    const firstUs = is === 'first' ? beganUs : beganUs + 30 * second;
    const seen = (point: ConnectionRecord['point'], pod: number): { node: number; record: ConnectionRecord } => ({
      node: cluster.nodeOf(pod),
      record: {
        initiator: cluster.addressOf(from),
        initiatorPort: 32_768 + (i % 28_000),
        responder: cluster.addressOf(to),
        responderPort: serverPorts[cluster.workloadOf(to) % serverPorts.length]!,
        protocol: TCP,
        point,
        interfaceIndex: cluster.indexOnNode(pod) + 1,
        podUid: '',
        initiatorBy: 'handshake',
        isn: i,
        bothSentSyn: false,
        responderFirst: false,
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

/** A workload connects to five others of its namespace; the policies allow three of them. */
function peerOf(pod: number, i: number): number {
  const step = [19, 17, 13, 2, 5][i % 5]!;
  const workload = (cluster.workloadOf(pod) + step) % workloadsPerNamespace;
  const replica = scattered(i + 7_919, cluster.podsPerWorkload);
  return cluster.podAt(cluster.namespaceOf(pod), workload * cluster.podsPerWorkload + replica);
}

/** The same for the same number, in an order that no cache predicts (Knuth's multiplicative hash). */
function scattered(i: number, below: number): number {
  return (Math.imul(i, 2_654_435_761) >>> 0) % below;
}
