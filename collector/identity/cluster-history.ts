// The cluster's objects as they were: pods, namespaces and policies by version, services, endpoints and nodes as they are.
import { isDeepStrictEqual } from 'node:util';
import type { Address } from '../../model/address.ts';
import type {
  ClusterEvent,
  ClusterObject,
  EndpointSlice,
  Labels,
  Namespace,
  Node,
  Pod,
  Service,
  Workload,
} from '../../model/kubernetes.ts';
import { isPolicy, objectKey } from '../../model/kubernetes.ts';
import { PrefixSet } from '../../model/prefix-set.ts';
import { AddressOwners, type Owner } from './address-owners.ts';
import { PolicyHistory } from './policy-history.ts';
import { Timeline } from './timeline.ts';

/** Versions kept of each pod and namespace. */
const maxVersions = 8;
/** Pods and namespaces that are gone are remembered: connections are judged after their end. */
const maxGone = 20_000;

/** `podUid` is empty where the slice tells no pod that is there. */
export type Backend = { address: Address; port: number; podUid: string };

export class ClusterHistory {
  readonly #pods = new Map<string, Timeline<Pod>>();
  readonly #uidOfName = new Map<string, string>();
  readonly #gonePods: string[] = [];
  readonly #namespaces = new Map<string, Timeline<Namespace | 'gone'>>();
  readonly #goneNamespaces = new Set<string>();
  readonly #defaultNamespaceLabels = new Map<string, Labels>();
  readonly #policies = new PolicyHistory();
  readonly #nodes = new Map<string, Node>();
  readonly #nodeOfAddress = new Map<Address, string>();
  readonly #podRanges = new PrefixSet();
  readonly #services = new Map<string, Service>();
  readonly #serviceOfAddress = new Map<Address, Service>();
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  readonly #workloads = new Map<string, Workload>();
  readonly #owners = new AddressOwners();
  #synced = false;
  #changedAtUs = 0;
  #revision = 0;

  receive(event: ClusterEvent): void {
    if (event.type === 'synced') {
      this.#policies.synced();
      this.#synced = true;
    }
    if (event.type !== 'put' && event.type !== 'gone') return;
    // What is there when watching begins has been there before, as far as anyone can tell.
    const atUs = this.#synced ? event.atUs : 0;
    if (event.type === 'put') this.#put(event.object, atUs);
    else this.#remove(event.object, atUs);
    this.#changedAtUs = Math.max(this.#changedAtUs, atUs);
    this.#revision += 1;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** When a pod, namespace or policy last changed: verdicts may differ before and after. */
  get changedAtUs(): number {
    return this.#changedAtUs;
  }

  /** Grows with every change, so that what was worked out from the objects can be kept until it does. */
  get revision(): number {
    return this.#revision;
  }

  /** The pod as it was then; for a time before it was first seen, as it was first seen. */
  pod(uid: string, timeUs: number): Pod | undefined {
    const timeline = this.#pods.get(uid);
    return timeline?.at(timeUs) ?? timeline?.earliest;
  }

  /** Whether the pod was there at that time, as far as the API told. */
  podKnownAt(uid: string, timeUs: number): boolean {
    return this.#pods.get(uid)?.at(timeUs) !== undefined;
  }

  ownerOf(address: Address, timeUs: number): Owner {
    return this.#owners.at(address, timeUs);
  }

  /** Of one that was not told, all that is known: its name (rule 16). */
  namespaceLabels(name: string, timeUs: number): Labels {
    return this.namespace(name, timeUs)?.labels ?? this.#defaultLabelsOf(name);
  }

  /** As `pod`; undefined where it was not told, or was gone by then. */
  namespace(name: string, timeUs: number): Namespace | undefined {
    const timeline = this.#namespaces.get(name);
    const then = timeline?.at(timeUs) ?? timeline?.earliest;
    return then === 'gone' ? undefined : then;
  }

  /** One object for each name, as a told one has. */
  #defaultLabelsOf(name: string): Labels {
    const known = this.#defaultNamespaceLabels.get(name);
    if (known !== undefined) return known;
    const labels: Labels = { 'kubernetes.io/metadata.name': name };
    this.#defaultNamespaceLabels.set(name, labels);
    return labels;
  }

  nodeOf(address: Address): Node | undefined {
    const name = this.#nodeOfAddress.get(address);
    return name === undefined ? undefined : this.#nodes.get(name);
  }

  node(name: string): Node | undefined {
    return this.#nodes.get(name);
  }

  get nodeNames(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  serviceOf(address: Address): Service | undefined {
    return this.#serviceOfAddress.get(address);
  }

  /** The ready endpoints behind a Service's port; empty where it has none, or no such port. */
  backendsOf(service: Service, protocol: number, port: number): Backend[] {
    const servicePort = service.ports.find((one) => one.protocol === protocol && one.port === port);
    if (servicePort === undefined) return [];
    const backends: Backend[] = [];
    for (const slice of this.#slices.get(`${service.namespace}/${service.name}`)?.values() ?? []) {
      const target = slice.ports.find((one) => one.name === servicePort.name && one.protocol === protocol);
      if (target === undefined) continue;
      for (const address of slice.addresses) {
        const podUid = this.#uidOfName.get(`Pod/${slice.pods?.[address] ?? ''}`) ?? '';
        backends.push({ address, port: target.port, podUid });
      }
    }
    return backends;
  }

  /** Whether all its endpoints could be read. */
  backendsKnown({ namespace, name }: Service): boolean {
    const slices = this.#slices.get(`${namespace}/${name}`);
    return slices === undefined || [...slices.values()].every(({ broken }) => !broken);
  }

  /** Host-network pods of a node, as they are now. */
  hostNetworkPods(node: string): Pod[] {
    return this.livePods().filter((pod) => pod.hostNetwork && pod.node === node);
  }

  livePods(): Pod[] {
    const live: Pod[] = [];
    for (const uid of this.#uidOfName.values()) {
      const pod = this.#pods.get(uid)?.latest;
      if (pod !== undefined) live.push(pod);
    }
    return live;
  }

  /** Given by their pod template, where manifests have them; an API server is not asked for them. */
  get workloads(): Iterable<Workload> {
    return this.#workloads.values();
  }

  get policies(): PolicyHistory {
    return this.#policies;
  }

  /** Whether some node's pod range holds the address. */
  isInPodRange(address: Address): boolean {
    return this.#podRanges.contains(address);
  }

  #put(object: ClusterObject, atUs: number): void {
    if (isPolicy(object)) {
      this.#policies.put(object, atUs);
      return;
    }
    switch (object.kind) {
      case 'Pod':
        this.#putPod(object, atUs);
        return;
      case 'Namespace':
        this.#goneNamespaces.delete(object.name);
        timelineOf(this.#namespaces, object.name).put(object, atUs);
        return;
      case 'Node':
        this.#forgetNode(object.name);
        this.#nodes.set(object.name, object);
        for (const prefix of object.podPrefixes) this.#podRanges.add(prefix);
        for (const address of object.addresses) this.#nodeOfAddress.set(address, object.name);
        return;
      case 'Service':
        this.#forgetService(objectKey(object));
        this.#services.set(objectKey(object), object);
        for (const address of object.addresses) this.#serviceOfAddress.set(address, object);
        return;
      case 'EndpointSlice': {
        const key = `${object.namespace}/${object.service}`;
        const slices = this.#slices.get(key) ?? new Map<string, EndpointSlice>();
        slices.set(object.name, object);
        this.#slices.set(key, slices);
        return;
      }
      case 'Workload':
        this.#workloads.set(objectKey(object), object);
        return;
    }
  }

  #remove(object: ClusterObject, atUs: number): void {
    if (isPolicy(object)) {
      this.#policies.remove(object, atUs);
      return;
    }
    switch (object.kind) {
      case 'Pod':
        this.#owners.remove(object, atUs);
        if (this.#uidOfName.get(objectKey(object)) === object.uid) this.#uidOfName.delete(objectKey(object));
        this.#gonePods.push(object.uid);
        if (this.#gonePods.length > maxGone) this.#pods.delete(this.#gonePods.shift()!);
        return;
      case 'Namespace':
        timelineOf(this.#namespaces, object.name).put('gone', atUs);
        this.#goneNamespaces.add(object.name);
        if (this.#goneNamespaces.size > maxGone) this.#forgetNamespace(this.#goneNamespaces.keys().next().value!);
        return;
      case 'Node':
        this.#forgetNode(object.name);
        return;
      case 'Service':
        this.#forgetService(objectKey(object));
        return;
      case 'EndpointSlice':
        this.#slices.get(`${object.namespace}/${object.service}`)?.delete(object.name);
        return;
      case 'Workload':
        this.#workloads.delete(objectKey(object));
        return;
    }
  }

  #putPod(received: Pod, atUs: number): void {
    const name = objectKey(received);
    const previousUid = this.#uidOfName.get(name);
    const known = previousUid === received.uid ? this.#pods.get(received.uid)?.latest : undefined;
    // Most of what is told of a pod is its status, and nothing of that is kept.
    if (known !== undefined && isDeepStrictEqual(known, received)) return;
    const pod =
      known !== undefined && isDeepStrictEqual(known.labels, received.labels)
        ? { ...received, labels: known.labels }
        : received;
    const previous =
      previousUid === undefined || previousUid === pod.uid ? undefined : this.#pods.get(previousUid)?.latest;
    if (previous !== undefined) this.#remove(previous, atUs);
    this.#uidOfName.set(name, pod.uid);
    this.#owners.put(pod.hostNetwork ? { ...pod, addresses: [] } : pod, atUs, this.#synced ? 'change' : 'initial');
    timelineOf(this.#pods, pod.uid).put(pod, atUs);
  }

  #forgetNamespace(name: string): void {
    this.#goneNamespaces.delete(name);
    this.#namespaces.delete(name);
    this.#defaultNamespaceLabels.delete(name);
  }

  #forgetNode(name: string): void {
    const node = this.#nodes.get(name);
    for (const address of node?.addresses ?? []) this.#nodeOfAddress.delete(address);
    for (const prefix of node?.podPrefixes ?? []) this.#podRanges.remove(prefix);
    this.#nodes.delete(name);
  }

  #forgetService(key: string): void {
    for (const address of this.#services.get(key)?.addresses ?? []) this.#serviceOfAddress.delete(address);
    this.#services.delete(key);
  }
}

function timelineOf<Value>(timelines: Map<string, Timeline<Value>>, key: string): Timeline<Value> {
  const known = timelines.get(key);
  if (known !== undefined) return known;
  const fresh = new Timeline<Value>(maxVersions);
  timelines.set(key, fresh);
  return fresh;
}
