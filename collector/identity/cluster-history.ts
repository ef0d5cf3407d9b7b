// The cluster's objects: all recent versions. Without a time, a method answers about now.
import { isDeepStrictEqual } from 'node:util';
import { type Address, isIpv6, type Prefix } from '../../model/address.ts';
import type {
  ClusterEvent,
  ClusterKind,
  ClusterObject,
  Labels,
  Namespace,
  Node,
  Pod,
  Service,
  Workload,
} from '../../model/kubernetes.ts';
import { isAnyPolicy, isAnyPolicyKind, objectKey } from '../../model/kubernetes.ts';
import { PrefixSet } from '../../model/prefix-set.ts';
import type { StaleKind } from '../../model/verdict.ts';
import { AddressOwners, type Owner } from './address-owners.ts';
import { DnsServers } from './dns-servers.ts';
import { HostPorts } from './host-ports.ts';
import { NodeHistory } from './node-history.ts';
import { PolicyHistory } from './policy-history.ts';
import { ServiceHistory } from './service-history.ts';
import { type Timeline, timelineOf } from './timeline.ts';
import { type Span, ViewGaps } from './view-gaps.ts';

/** Versions kept for each pod. */
const maxVersions = 8;
/** There are few namespaces, and each version matters to many connections. */
const maxNamespaceVersions = 64;
/** Deleted pods and namespaces that are kept, because a connection may be evaluated after its pod ended. */
const maxGone = 20_000;

const maxPodAddresses = 32;

/** `sinceUs`: when the latest address became known. */
type PodAddresses = { addresses: ReadonlySet<Address>; sinceUs: number };
const noAddresses: PodAddresses = { addresses: new Set(), sinceUs: 0 };

/** `podUid` is empty if the slice names no existing pod. */
export type Backend = { address: Address; port: number; podUid: string };

export class ClusterHistory {
  readonly #pods = new Map<string, Timeline<Pod>>();
  readonly #uidOfName = new Map<string, string>();
  readonly #podAddresses = new Map<string, PodAddresses>();
  readonly #gonePods: string[] = [];
  readonly #namespaces = new Map<string, Timeline<Namespace | 'gone'>>();
  readonly #goneNamespaces = new Set<string>();
  readonly #defaultNamespaceLabels = new Map<string, Labels>();
  readonly #policies = new PolicyHistory();
  readonly #nodes = new NodeHistory();
  readonly #podRanges = new PrefixSet();
  readonly #services = new ServiceHistory();
  readonly #workloads = new Map<string, Workload>();
  readonly #owners = new AddressOwners();
  readonly #dnsServers: DnsServers;
  readonly #hostPorts = new HostPorts();
  readonly #gaps = new ViewGaps();
  #synced = false;
  #changedAtUs = 0;
  #revision = 0;

  /** `dnsServers`: trusted besides the cluster's DNS Service. */
  constructor(dnsServers: readonly Prefix[] = []) {
    this.#dnsServers = new DnsServers(dnsServers);
  }

  receive(event: ClusterEvent): void {
    if (event.type === 'synced') {
      this.#policies.synced();
      this.#synced = true;
    }
    if (event.type === 'stale') this.#becomeStale(event.kind, event.sinceUs);
    if (event.type === 'fresh') this.#becomeFresh(event.kind);
    if (event.type !== 'put' && event.type !== 'gone') return;
    if (event.sinceUs !== undefined) this.#missChange(event.object, { sinceUs: event.sinceUs, untilUs: event.atUs });
    // Objects that exist when watching begins may be older: they count from the beginning of time.
    const atUs = this.#synced ? event.atUs : 0;
    if (event.type === 'put') this.#put(event.object, atUs);
    else this.#remove(event.object, atUs);
    this.#updateDnsServers(event.object, atUs);
    this.#changedAtUs = Math.max(this.#changedAtUs, atUs);
    this.#revision += 1;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** When the view of the objects was incomplete, except of the policies (`policies.gaps`). */
  get gaps(): ViewGaps {
    return this.#gaps;
  }

  /** The kinds whose changes may be missing now. */
  get staleKinds(): readonly StaleKind[] {
    return [...this.#gaps.staleKinds, ...this.#policies.gaps.staleKinds];
  }

  isStaleAt(timeUs: number): boolean {
    return this.#gaps.isStaleAt(timeUs) || this.#policies.gaps.isStaleAt(timeUs);
  }

  /** Increases when a doubtful connection may be evaluated for sure, or a missed change becomes known. */
  get viewRevision(): number {
    return this.#gaps.revision + this.#policies.gaps.revision;
  }

  /** When an object last changed: verdicts may differ before and after. */
  get changedAtUs(): number {
    return this.#changedAtUs;
  }

  /** Increases with every change, so that callers can cache results until it does. */
  get revision(): number {
    return this.#revision;
  }

  /** The pod at that time. For a time before the first version, the first version. */
  pod(uid: string, timeUs: number): Pod | undefined {
    const timeline = this.#pods.get(uid);
    return timeline?.at(timeUs) ?? timeline?.earliest;
  }

  /** Whether the API had reported the pod by that time. */
  podKnownAt(uid: string, timeUs: number): boolean {
    return this.#pods.get(uid)?.at(timeUs) !== undefined;
  }

  /** The latest version of the pod, also if it is deleted. */
  podNow(uid: string): Pod | undefined {
    return this.#pods.get(uid)?.latest;
  }

  /** All addresses that the pod ever had, and since when its latest ones are known. */
  addressesOfPod(uid: string): PodAddresses {
    return this.#podAddresses.get(uid) ?? noAddresses;
  }

  /** Whether the Service listed one of the addresses as an endpoint near that time, ready or not. */
  hasEndpoint(service: Service, addresses: readonly Address[], timeUs: number): boolean {
    return this.#services.hasEndpoint(service, addresses, timeUs);
  }

  /** Undefined if no pod has the address now, or several claim it. */
  podUidNow(address: Address): string | undefined {
    const owner = this.#owners.at(address, Number.MAX_VALUE);
    return owner.owner === 'pod' ? owner.uid : undefined;
  }

  ownerOf(address: Address, timeUs: number): Owner {
    return this.#owners.at(address, timeUs);
  }

  /** For a namespace that the API did not report: the label with its name only (rule 16). */
  namespaceLabels(name: string, timeUs: number): Labels {
    return this.namespace(name, timeUs)?.labels ?? this.#defaultLabelsOf(name);
  }

  /** Like `pod`; undefined if the API did not report the namespace, or if it was deleted by then. */
  namespace(name: string, timeUs: number): Namespace | undefined {
    const timeline = this.#namespaces.get(name);
    const then = timeline?.at(timeUs) ?? timeline?.earliest;
    return then === 'gone' ? undefined : then;
  }

  /** Always the same object for a name, because the cache of verdicts compares by identity. */
  #defaultLabelsOf(name: string): Labels {
    const known = this.#defaultNamespaceLabels.get(name);
    if (known !== undefined) return known;
    const labels: Labels = { 'kubernetes.io/metadata.name': name };
    this.#defaultNamespaceLabels.set(name, labels);
    return labels;
  }

  /** The node that has the address now. */
  nodeNow(address: Address): Node | undefined {
    return this.nodeOf(address, Number.POSITIVE_INFINITY);
  }

  nodeOf(address: Address, timeUs: number): Node | undefined {
    return this.#nodes.withAddress(address, timeUs);
  }

  node(name: string, timeUs = Number.POSITIVE_INFINITY): Node | undefined {
    return this.#nodes.at(name, timeUs);
  }

  get nodeNames(): readonly string[] {
    return [...this.#nodes.names()];
  }

  /** Whether it is, or was, the address of a pod, or it is that of a node or a Service. */
  hasAddress(address: Address): boolean {
    if (this.isServiceAddress(address) || this.nodeNow(address) !== undefined) return true;
    return this.#owners.at(address, 0).owner !== 'never';
  }

  /** Whether a Service has the address now. */
  isServiceAddress(address: Address): boolean {
    return this.#services.servicesAt(address, Number.POSITIVE_INFINITY).length > 0;
  }

  /** The Services that had the address at that time. For a time before the first version of all, their first versions. */
  servicesAt(address: Address, timeUs: number): readonly Service[] {
    return this.#services.servicesAt(address, timeUs);
  }

  /**
   * The Service that got the connections to that port of the address at that time. An address of a pod is never that of a
   * Service: whoever writes a Service may list any address as an external one.
   */
  serviceOf(address: Address, protocol: number, port: number, timeUs: number): Service | undefined {
    const service = this.#services.serviceOf(address, protocol, port, timeUs);
    if (service === undefined) return undefined;
    const { owner } = this.#owners.at(address, timeUs);
    return owner === 'pod' || owner === 'ambiguous' ? undefined : service;
  }

  /** The ready endpoints of a Service port near that time; empty without endpoints or without such a port. */
  backendsOf(service: Service, protocol: number, port: number, timeUs: number): Backend[] {
    return this.#services
      .readyEndpoints(service, protocol, port, timeUs)
      .map(({ address, port: target, pod }) => ({ address, port: target, podUid: this.#uidOfPod(pod, timeUs) }));
  }

  /** Empty if the pod with that name is not that of the time. */
  #uidOfPod(name: string, timeUs: number): string {
    const uid = this.#uidOfName.get(`Pod/${name}`) ?? '';
    const startedUs = uid === '' ? 0 : (this.#pods.get(uid)?.earliest?.startedUs ?? 0);
    return startedUs <= timeUs ? uid : '';
  }

  /** False if some endpoints of that time could not be read. */
  backendsKnown(service: Service, timeUs: number): boolean {
    return this.#services.endpointsKnown(service, timeUs);
  }

  /** The host-network pod of the node that declares the port at that time. */
  hostNetworkPod(node: string, address: Address, protocol: number, port: number, timeUs: number): Pod | undefined {
    const pod = this.#podAtHostPort(node, address, protocol, port, timeUs);
    return pod?.hostNetwork ? pod : undefined;
  }

  /** Where connections to that port of a node went at that time, if a pod has it as its `hostPort`. */
  hostPortBackend(address: Address, protocol: number, port: number, timeUs: number): Backend | undefined {
    if (!this.#hostPorts.used) return undefined;
    const node = this.nodeOf(address, timeUs)?.name;
    const pod = node === undefined ? undefined : this.#podAtHostPort(node, address, protocol, port, timeUs);
    if (pod === undefined || pod.hostNetwork) return undefined;
    const target = pod.ports.find((one) => one.protocol === protocol && one.hostPort?.port === port);
    const own = pod.addresses.find((one) => isIpv6(one) === isIpv6(address));
    if (target === undefined || own === undefined) return undefined;
    return { address: own, port: target.port, podUid: pod.uid };
  }

  #podAtHostPort(node: string, address: Address, protocol: number, port: number, timeUs: number): Pod | undefined {
    const uid = this.#hostPorts.uidAt(node, address, protocol, port, timeUs);
    return uid === undefined ? undefined : this.pod(uid, timeUs);
  }

  livePods(): Pod[] {
    const live: Pod[] = [];
    for (const uid of this.#uidOfName.values()) {
      const pod = this.#pods.get(uid)?.latest;
      if (pod !== undefined) live.push(pod);
    }
    return live;
  }

  /** Objects with a pod template, from manifests only: they are not listed from an API server. */
  get workloads(): Iterable<Workload> {
    return this.#workloads.values();
  }

  get dnsServers(): DnsServers {
    return this.#dnsServers;
  }

  get policies(): PolicyHistory {
    return this.#policies;
  }

  /** Whether the address is in the pod range of a node. */
  isInPodRange(address: Address): boolean {
    return this.#podRanges.contains(address);
  }

  #updateDnsServers(changed: ClusterObject, atUs: number): void {
    if (changed.kind !== 'Service' && changed.kind !== 'Endpoints' && changed.kind !== 'EndpointSlice') return;
    const services = [...this.#services.services()].filter(({ clusterDns }) => clusterDns);
    this.#dnsServers.update(services, (service) => this.#services.slicesOf(service), atUs);
  }

  #becomeStale(kind: ClusterKind, sinceUs: number): void {
    (isAnyPolicyKind(kind) ? this.#policies.gaps : this.#gaps).stale(kind, sinceUs);
  }

  #becomeFresh(kind: ClusterKind): void {
    (isAnyPolicyKind(kind) ? this.#policies.gaps : this.#gaps).fresh(kind);
  }

  #missChange(object: ClusterObject, span: Span): void {
    if (isAnyPolicy(object)) this.#policies.missChange(object, span);
    else this.#gaps.missedChange(object, this.#currentOf(object), span);
  }

  /** The version that the object has now; undefined for a kind whose changes do not change its names. */
  #currentOf(object: ClusterObject): ClusterObject | undefined {
    switch (object.kind) {
      case 'Pod':
        return this.#pods.get(object.uid)?.latest;
      case 'Node':
        return this.node(object.name);
      case 'Service':
        return this.#services.get(objectKey(object));
      default:
        return undefined;
    }
  }

  #put(object: ClusterObject, atUs: number): void {
    if (isAnyPolicy(object)) {
      this.#policies.put(object, atUs);
      return;
    }
    switch (object.kind) {
      case 'Pod':
        this.#putPod(object, atUs);
        return;
      case 'Namespace':
        this.#goneNamespaces.delete(object.name);
        this.#putNamespace(object, atUs);
        return;
      case 'Node':
        for (const prefix of object.podPrefixes) this.#podRanges.add(prefix);
        for (const prefix of this.#nodes.now(object.name)?.podPrefixes ?? []) this.#podRanges.remove(prefix);
        this.#nodes.put(object, atUs);
        return;
      case 'Service':
        this.#services.putService(object, atUs);
        return;
      case 'Endpoints':
        this.#services.putEndpoints(object, atUs);
        return;
      case 'EndpointSlice':
        this.#services.putSlice(object, atUs);
        return;
      case 'Workload':
        this.#workloads.set(objectKey(object), object);
        return;
    }
  }

  #remove(object: ClusterObject, atUs: number): void {
    if (isAnyPolicy(object)) {
      this.#policies.remove(object, atUs);
      return;
    }
    switch (object.kind) {
      case 'Pod':
        this.#owners.remove(object, atUs);
        this.#hostPorts.remove(object, atUs);
        if (this.#uidOfName.get(objectKey(object)) === object.uid) this.#uidOfName.delete(objectKey(object));
        this.#gonePods.push(object.uid);
        if (this.#gonePods.length > maxGone) this.#forgetPod(this.#gonePods.shift()!);
        return;
      case 'Namespace':
        timelineOf(this.#namespaces, object.name, maxVersions).put('gone', atUs);
        this.#goneNamespaces.add(object.name);
        if (this.#goneNamespaces.size > maxGone) this.#forgetNamespace(this.#goneNamespaces.keys().next().value!);
        return;
      case 'Node':
        // Its pod ranges stay inside the cluster.
        this.#nodes.remove(object.name, atUs);
        return;
      case 'Service':
        this.#services.removeService(object, atUs);
        return;
      case 'Endpoints':
        this.#services.putEndpoints({ ...object, slices: [] }, atUs);
        return;
      case 'EndpointSlice':
        this.#services.removeSlice(object, atUs);
        return;
      case 'Workload':
        this.#workloads.delete(objectKey(object));
        return;
    }
  }

  #putNamespace(namespace: Namespace, atUs: number): void {
    const timeline = timelineOf(this.#namespaces, namespace.name, maxNamespaceVersions);
    if (!isDeepStrictEqual(timeline.latest, namespace)) timeline.put(namespace, atUs);
  }

  #putPod(received: Pod, atUs: number): void {
    const name = objectKey(received);
    const previousUid = this.#uidOfName.get(name);
    const known = previousUid === received.uid ? this.#pods.get(received.uid)?.latest : undefined;
    // Most updates of a pod change only fields that are not kept.
    if (known !== undefined && isDeepStrictEqual(known, received)) return;
    const pod =
      known !== undefined && isDeepStrictEqual(known.labels, received.labels)
        ? { ...received, labels: known.labels }
        : received;
    const previous =
      previousUid === undefined || previousUid === pod.uid ? undefined : this.#pods.get(previousUid)?.latest;
    if (previous !== undefined) this.#remove(previous, atUs);
    this.#uidOfName.set(name, pod.uid);
    const when = this.#synced ? 'change' : 'initial';
    this.#owners.put(pod, atUs, when, pod.hostNetwork ? [] : pod.addresses);
    this.#hostPorts.put(pod, atUs, when);
    timelineOf(this.#pods, pod.uid, maxVersions).put(pod, atUs);
    const { addresses } = this.addressesOfPod(pod.uid);
    const fresh = pod.addresses.filter((address) => !addresses.has(address));
    if (fresh.length > 0)
      this.#podAddresses.set(pod.uid, {
        addresses: new Set([...addresses, ...fresh].slice(-maxPodAddresses)),
        sinceUs: atUs,
      });
  }

  #forgetPod(uid: string): void {
    this.#pods.delete(uid);
    this.#podAddresses.delete(uid);
  }

  #forgetNamespace(name: string): void {
    this.#goneNamespaces.delete(name);
    this.#namespaces.delete(name);
    this.#defaultNamespaceLabels.delete(name);
  }
}
