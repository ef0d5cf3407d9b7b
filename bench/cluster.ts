// Test clusters for benchmarks, as Kubernetes objects, the same on every run: nodes, namespaces, and pods of equal
// workloads, spread evenly. A benchmark adds the policies that it measures.
import { parseObject } from '../cluster/parse/parse.ts';
import { type Address, parseAddress } from '../model/address.ts';
import type { ClusterObject } from '../model/kubernetes.ts';

export type KubernetesObject = { kind: string } & Record<string, unknown>;
type Labels = Record<string, string>;
export type Peer = { namespaceSelector?: Selector; podSelector?: Selector } | { ipBlock: { cidr: string } };
export type Selector = { matchLabels?: Labels };
export type Port = { port: number | string; endPort?: number; protocol: 'TCP' | 'UDP' };

export type ClusterSize = {
  nodes: number;
  namespaces: number;
  /** A multiple of `nodes`. */
  podsPerNamespace: number;
  workloadsPerNamespace: number;
};

/** Labels in addition to those of every object, and the ports of every pod. */
export type ClusterDetails = {
  namespaceLabels?(namespace: number): Labels;
  podLabels?(workload: number): Labels;
  ports?: readonly { name: string; containerPort: number }[];
};

/** Pods are numbered over the whole cluster, and so within their namespace; all numbers count from 0. */
export class EvenCluster {
  readonly size: ClusterSize;
  readonly pods: number;
  readonly podsPerNode: number;
  readonly podsPerWorkload: number;

  constructor(size: ClusterSize) {
    this.size = size;
    this.pods = size.namespaces * size.podsPerNamespace;
    this.podsPerNode = this.pods / size.nodes;
    this.podsPerWorkload = size.podsPerNamespace / size.workloadsPerNamespace;
  }

  nodeOf(pod: number): number {
    return pod % this.size.nodes;
  }

  indexOnNode(pod: number): number {
    return Math.floor(pod / this.size.nodes);
  }

  namespaceOf(pod: number): number {
    return this.indexOnNode(pod) % this.size.namespaces;
  }

  /** The pods of a workload are on nodes that follow one another. */
  workloadOf(pod: number): number {
    const { nodes, namespaces } = this.size;
    const inNamespace = Math.floor(this.indexOnNode(pod) / namespaces) * nodes + this.nodeOf(pod);
    return Math.floor(inNamespace / this.podsPerWorkload);
  }

  podAt(namespace: number, inNamespace: number): number {
    const { nodes, namespaces } = this.size;
    return (Math.floor(inNamespace / nodes) * namespaces + namespace) * nodes + (inNamespace % nodes);
  }

  podOnNode(node: number, index: number): number {
    return index * this.size.nodes + node;
  }

  addressOf(pod: number): Address {
    const index = this.indexOnNode(pod) + 1;
    return parseAddress(`10.${firstNodeBlock + this.nodeOf(pod)}.${index >> 8}.${index & 255}`)!;
  }

  objects(details: ClusterDetails = {}): KubernetesObject[] {
    return [
      ...numbers(this.size.namespaces).map((i) => namespaceObject(namespaceName(i), details.namespaceLabels?.(i))),
      ...numbers(this.size.nodes).map(nodeObject),
      ...numbers(this.pods).map((pod) => this.#podObject(pod, details)),
    ];
  }

  #podObject(pod: number, { podLabels, ports }: ClusterDetails): KubernetesObject {
    const workload = this.workloadOf(pod);
    const app = appName(workload);
    return podObject({
      namespace: namespaceName(this.namespaceOf(pod)),
      name: `pod-${pod}`,
      labels: { app, 'app.kubernetes.io/name': app, 'pod-template-hash': '6d4f9c', ...podLabels?.(workload) },
      node: nodeName(this.nodeOf(pod)),
      address: this.addressOf(pod),
      owner: app,
      ports,
    });
  }
}

/** Pods of node i are in 10.(128 + i).0.0/16: at most 128 nodes. */
const firstNodeBlock = 128;

export const nodeName = (node: number) => `node-${node}`;
export const namespaceName = (namespace: number) => `ns-${namespace}`;
export const appName = (workload: number) => `app-${workload}`;
export const podUid = (name: string) => `uid-${name}`;

export function namespaceObject(name: string, labels: Labels = {}): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

function nodeObject(node: number): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: nodeName(node) },
    spec: { podCIDRs: [`10.${firstNodeBlock + node}.0.0/16`] },
    status: { addresses: [{ type: 'InternalIP', address: `192.0.2.${1 + node}` }] },
  };
}

export type PodFields = {
  namespace: string;
  name: string;
  labels: Labels;
  node: string;
  address: string;
  /** The StatefulSet of the pod, if it has one. */
  owner?: string;
  ports?: ClusterDetails['ports'];
};

export function podObject({ namespace, name, labels, node, address, owner, ports }: PodFields): KubernetesObject {
  const ownerReference = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: owner, uid: owner, controller: true };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: podUid(name),
      labels,
      ...(owner !== undefined && { ownerReferences: [ownerReference] }),
    },
    spec: { nodeName: node, containers: [{ name: 'main', image: 'example', ...(ports !== undefined && { ports }) }] },
    status: { phase: 'Running', podIP: address, podIPs: [{ ip: address }] },
  };
}

export type NetworkPolicySpec = {
  podSelector: Selector;
  ingress: readonly { from: readonly Peer[]; ports: readonly Port[] }[];
  /** Missing: the policy does not isolate egress. */
  egress?: readonly { to: readonly Peer[]; ports: readonly Port[] }[];
};

export function networkPolicyObject(namespace: string, name: string, spec: NetworkPolicySpec): KubernetesObject {
  const policyTypes = ['Ingress', ...(spec.egress === undefined ? [] : ['Egress'])];
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec: { ...spec, policyTypes },
  };
}

export function byLabel(key: string, value: string): Selector {
  return { matchLabels: { [key]: value } };
}

export function tcp(...ports: readonly number[]): Port[] {
  return ports.map((port) => ({ port, protocol: 'TCP' }));
}

/** A manifest file of all objects. */
export function manifestOf(objects: readonly KubernetesObject[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
}

/** The object as Waybill reads it. Throws if it is not valid. */
export function parsed(object: KubernetesObject): ClusterObject {
  const result = parseObject(object);
  if (result.is === 'object' && result.problems.length === 0) return result.object;
  throw new Error(`the ${object.kind} of the benchmark is not valid: ${JSON.stringify(result)}`);
}

/** 0, 1, 2, … */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
