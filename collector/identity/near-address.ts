// Whether the address at a pod's interface is one of that pod. The interface proves which pod sent a packet; the source
// address does not (docs/join.md, "Who sent it").
import { type Address, type Prefix, prefixContainsAddress } from '../../model/address.ts';
import type { Pod, Service } from '../../model/kubernetes.ts';
import { isOwn } from './address-services.ts';
import type { ClusterHistory } from './cluster-history.ts';
import type { NodeAddresses } from './identity.ts';
import { isLoopback, localZoneOf } from './local-addresses.ts';

/** Pods that send packets of others, such as VPN and NAT gateways, by NAMESPACE/WORKLOAD. */
export type Forwarders = {
  /** The source addresses that their packets may have. */
  prefixes: Readonly<Record<string, readonly Prefix[]>>;
  /** Namespaces whose pods may name prefixes in the annotations waybill.io/forwards and that of Calico. */
  annotatedNamespaces: readonly string[];
};

/**
 * `own`: also an address of a Service that selects the pod. `forwarded`: the pod may send packets of this address.
 * `unknown`: the pod, or its addresses, are not known long enough. `foreign`: the address is that of another pod, of a
 * node, of a Service that does not select the pod, or of nobody in the cluster.
 */
export type NearAddress = 'own' | 'forwarded' | 'unknown' | { foreign: 'pod' | 'node' | 'service' | 'nobody' };

/** The API server reports the addresses of a new pod, and of a restarted sandbox, later than the pod sends packets. */
export const addressesSettledUs = 10_000_000;

export class NearAddresses {
  readonly #cluster: ClusterHistory;
  readonly #nodeAddresses: NodeAddresses;
  readonly #forwarders: Forwarders;

  constructor(cluster: ClusterHistory, nodeAddresses: NodeAddresses, forwarders: Forwarders) {
    this.#cluster = cluster;
    this.#nodeAddresses = nodeAddresses;
    this.#forwarders = forwarders;
  }

  /** `podUid`: the pod behind the interface; empty if it is not known. `timeUs`: when the address was seen there. */
  at(podUid: string, address: Address, timeUs: number, nowUs: number): NearAddress {
    const pod = podUid === '' ? undefined : this.#cluster.pod(podUid, timeUs);
    if (pod === undefined) return 'unknown';
    const { addresses, sinceUs } = this.#cluster.addressesOfPod(podUid);
    if (pod.hostNetwork || addresses.has(address)) return 'own';
    if (localZoneOf(address) !== undefined && !isLoopback(address)) return 'own';
    if (this.#isForwarded(pod, address)) return 'forwarded';
    const foreign = this.#ownerOf(address, timeUs);
    // Whoever writes a Service may list any address as an external one: it gives nobody the address of a pod or node.
    if (foreign === 'service' && this.#isServiceOf(pod, address, timeUs)) return 'own';
    if (addresses.size === 0 || nowUs < sinceUs + addressesSettledUs) return 'unknown';
    // Whoever makes a pod writes its annotations, so they do not give it the address of somebody else.
    return foreign === 'nobody' && pod.secondaryAddresses.includes(address) ? 'own' : { foreign };
  }

  /** Whether the address is that of another node, or of a pod there. */
  isOnAnotherNode(node: string, address: Address, timeUs: number): boolean {
    const owner = this.#cluster.ownerOf(address, timeUs);
    const holder =
      owner.owner === 'pod' ? this.#cluster.pod(owner.uid, timeUs)?.node : this.#cluster.nodeOf(address, timeUs)?.name;
    return holder !== undefined && holder !== '' && holder !== node;
  }

  #isForwarded(pod: Pod, address: Address): boolean {
    const { prefixes, annotatedNamespaces } = this.#forwarders;
    const bySetting = prefixes[`${pod.namespace}/${pod.workload.name}`] ?? [];
    const byAnnotation = annotatedNamespaces.includes(pod.namespace) ? pod.forwards : [];
    return [...bySetting, ...byAnnotation].some((prefix) => prefixContainsAddress(prefix, address));
  }

  /** Direct server return: the pod answers with the address of a Service that it is an endpoint of. */
  #isServiceOf(pod: Pod, address: Address, timeUs: number): boolean {
    const services = this.#cluster.servicesAt(address, timeUs);
    const owner = services.find((one) => isOwn(one, address));
    return (owner === undefined ? services : [owner]).some((service) => this.#isEndpointOf(pod, service, timeUs));
  }

  #isEndpointOf(pod: Pod, service: Service, timeUs: number): boolean {
    const selector = Object.entries(service.selector ?? {});
    const isSelected =
      service.namespace === pod.namespace &&
      selector.length > 0 &&
      selector.every(([key, value]) => pod.labels[key] === value);
    // Whoever writes the slices of a Service may list pods that no selector names, also of other namespaces.
    return isSelected || this.#cluster.hasEndpoint(service, pod.addresses, timeUs);
  }

  #ownerOf(address: Address, timeUs: number): 'pod' | 'node' | 'service' | 'nobody' {
    const { owner } = this.#cluster.ownerOf(address, timeUs);
    if (owner === 'pod' || owner === 'ambiguous') return 'pod';
    if (this.#cluster.nodeOf(address, timeUs) !== undefined || this.#nodeAddresses.nodeOf(address, []) !== undefined)
      return 'node';
    return this.#cluster.servicesAt(address, timeUs).length === 0 ? 'nobody' : 'service';
  }
}
