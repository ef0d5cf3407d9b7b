// The owner of an address at a given time: the endpoint for users, and the party for the policies.
import { type Address, type Prefix, prefixContainsAddress } from '../../model/address.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import { type ClusterKind, type Node, objectKey, type Pod, type Service } from '../../model/kubernetes.ts';
import { hasPorts } from '../../model/protocol.ts';
import type { Party, StaleKind, UnknownReason } from '../../model/verdict.ts';
import type { ClusterHistory } from './cluster-history.ts';
import { type GivenNames, noNames } from './dns-names.ts';
import { PartyCache } from './party-cache.ts';
import type { FindZone } from './zones.ts';

/** `stale`: the view of the cluster was incomplete at that time, so the end may have been something else. */
export type Identity = { endpoint: Endpoint; stale?: readonly StaleKind[] } & (
  | { kind: 'pod'; party: Party; uid: string }
  /** `namedUs`: when the pod at the other end was last given a trusted name for it. */
  | { kind: 'address'; party: Party; namedUs?: number }
  | { kind: 'service'; service: Service }
  | { kind: 'unknown'; why: UnknownReason }
);

/**
 * One end of a connection. `podUid` is the pod behind the interface that saw this end, else empty. `behindNode` is the node
 * of that interface: then the end is on that node, whatever its address says. `serviceOfNode`: the address is that of a
 * service on that node, and every node has its own. `observers`: the nodes that saw the connection.
 */
export type ConnectionEnd = {
  address: Address;
  port: number;
  protocol: number;
  podUid: string;
  behindNode?: string;
  serviceOfNode?: string;
  observers?: readonly string[];
};

export type NamesOf = (address: Address) => GivenNames;

const maxNamesShown = 5;

/** Addresses of nodes from the agents, such as those of bridges and tunnels, which Node objects do not list. */
export type NodeAddresses = { nodeOf(address: Address, observers: readonly string[]): string | undefined };

export class Identities {
  readonly #cluster: ClusterHistory;
  readonly #findZone: FindZone;
  readonly #clusterRanges: readonly Prefix[];
  readonly #nodeAddresses: NodeAddresses;
  readonly #parties = new PartyCache();

  /** `clusterRanges`: pod and service ranges that Node objects do not list. */
  constructor(
    cluster: ClusterHistory,
    findZone: FindZone,
    clusterRanges: readonly Prefix[],
    nodeAddresses: NodeAddresses,
  ) {
    this.#cluster = cluster;
    this.#nodeAddresses = nodeAddresses;
    this.#findZone = findZone;
    this.#clusterRanges = clusterRanges;
  }

  /** `namesOf`: the DNS names of an external address that the pod at the other end was given. */
  at(end: ConnectionEnd, timeUs: number, namesOf: NamesOf = () => noNames): Identity {
    const identity = this.#asKnown(end, timeUs, namesOf);
    if (!this.#cluster.gaps.mayDoubt(timeUs)) return identity;
    const stale = this.#staleKinds(identity, end, timeUs);
    if (stale.length === 0) return identity;
    return identity.kind === 'unknown'
      ? { ...identity, why: { reason: 'cluster-stale', kinds: stale } }
      : { ...identity, stale };
  }

  /** The kinds that the identity depends on, as far as they are in doubt at that time. */
  #staleKinds(identity: Identity, { address }: ConnectionEnd, timeUs: number): StaleKind[] {
    const doubts = (kinds: readonly [ClusterKind, readonly string[]][]): StaleKind[] =>
      kinds.flatMap(([kind, names]) => this.#cluster.gaps.doubt(kind, names, timeUs) ?? []);
    switch (identity.kind) {
      case 'pod':
        return doubts([
          ['Pod', [identity.uid, address]],
          ['Namespace', [objectKey({ kind: 'Namespace', namespace: '', name: identity.endpoint.namespace ?? '' })]],
        ]);
      case 'service':
        return doubts([
          ['Service', [objectKey(identity.service), address]],
          ['EndpointSlice', [`${identity.service.namespace}/${identity.service.name}`]],
        ]);
      case 'address':
      case 'unknown': {
        const { node } = identity.endpoint;
        if (node !== undefined)
          return doubts([['Node', [objectKey({ kind: 'Node', namespace: '', name: node }), address]]]);
        // Nobody had the address as far as is known.
        return doubts([
          ['Pod', [address]],
          ['Node', [address]],
          ['Service', [address]],
        ]);
      }
    }
  }

  #asKnown(end: ConnectionEnd, timeUs: number, namesOf: NamesOf): Identity {
    if (!this.#cluster.synced) return this.#unknown(end.address, { reason: 'cluster-not-synced' });
    const servingNode = end.serviceOfNode === undefined ? undefined : this.#cluster.node(end.serviceOfNode);
    if (servingNode !== undefined) return this.#node(servingNode, end, timeUs);
    const uid = end.podUid !== '' ? end.podUid : this.#ownerUid(end.address, timeUs);
    const pod = uid === undefined ? undefined : this.#cluster.pod(uid, timeUs);
    if (pod !== undefined) {
      return isOnAnotherNode(pod.node, end) ? this.#foreign(end) : this.#pod(pod, end.address, timeUs);
    }
    const node = this.#cluster.nodeOf(end.address, timeUs);
    if (node !== undefined) return isOnAnotherNode(node.name, end) ? this.#foreign(end) : this.#node(node, end, timeUs);
    const service = this.#cluster.serviceOf(end.address, end.protocol, end.port, timeUs);
    if (service !== undefined) return this.#service(service, end);
    const reportedNodeName = this.#nodeAddresses.nodeOf(end.address, end.observers ?? []);
    const reportedNode = reportedNodeName === undefined ? undefined : this.#cluster.node(reportedNodeName, timeUs);
    if (reportedNode !== undefined) return this.#node(reportedNode, end, timeUs);
    if (uid !== undefined || this.#isInside(end.address, timeUs)) {
      return this.#unknown(end.address, { reason: 'no-owner-at-that-time', address: end.address });
    }
    const given = namesOf(end.address);
    const { names, unverified } = given;
    const endpoint: Endpoint = {
      kind: 'external',
      ip: end.address,
      zone: this.#findZone(end.address),
      ...(names.length > 0 && { names: names.slice(0, maxNamesShown) }),
      ...(unverified.length > 0 && { unverifiedNames: unverified }),
    };
    return {
      endpoint,
      kind: 'address',
      party: this.#parties.external(end.address, given),
      ...(given.latestUs > 0 && { namedUs: given.latestUs }),
    };
  }

  /** The pod that had the address at that time; empty if none had. */
  podUidOf(address: Address, timeUs: number): string {
    return this.#ownerUid(address, timeUs) ?? '';
  }

  #ownerUid(address: Address, timeUs: number): string | undefined {
    const owner = this.#cluster.ownerOf(address, timeUs);
    return owner.owner === 'pod' ? owner.uid : undefined;
  }

  #isInside(address: Address, timeUs: number): boolean {
    if (this.#cluster.ownerOf(address, timeUs).owner !== 'never' || this.#cluster.isInPodRange(address)) return true;
    return this.#clusterRanges.some((prefix) => prefixContainsAddress(prefix, address));
  }

  #pod(pod: Pod, ip: Address, timeUs: number): Identity {
    const endpoint = podEndpoint(pod, ip, this.#cluster.node(pod.node, timeUs)?.zone);
    const namespace = this.#cluster.namespace(pod.namespace, timeUs);
    const labels = namespace?.labels ?? this.#cluster.namespaceLabels(pod.namespace, timeUs);
    const party = this.#parties.pod(pod, ip, labels, namespace !== undefined);
    return { endpoint, kind: 'pod', party, uid: pod.uid };
  }

  /** A host-network pod is recognised by the port that it declares. For policies, pod and node are the node's address. */
  #node(node: Node, end: ConnectionEnd, timeUs: number): Identity {
    const party = this.#parties.node(node, end.address);
    const pod = hasPorts(end.protocol)
      ? this.#cluster.hostNetworkPod(node.name, end.address, end.protocol, end.port, timeUs)
      : undefined;
    if (pod !== undefined) {
      return { endpoint: { ...podEndpoint(pod, end.address, node.zone), kind: 'host' }, kind: 'address', party };
    }
    return {
      endpoint: { kind: 'node', ip: end.address, node: node.name, ...zoneOf(node.zone) },
      kind: 'address',
      party,
    };
  }

  #service(service: Service, end: ConnectionEnd): Identity {
    const endpoint: Endpoint = {
      kind: 'service',
      ip: end.address,
      namespace: service.namespace,
      service: service.name,
    };
    return { endpoint, kind: 'service', service };
  }

  /** Only the node that runs a pod can prove that the pod sent or received something. */
  #foreign({ address }: ConnectionEnd): Identity {
    return this.#unknown(address, { reason: 'address-of-another-node', address });
  }

  #unknown(ip: Address, why: UnknownReason): Identity {
    return { endpoint: { kind: 'unknown', ip }, kind: 'unknown', why };
  }
}

/** Whether the end is behind an interface of another node. */
function isOnAnotherNode(node: string, { behindNode }: ConnectionEnd): boolean {
  return behindNode !== undefined && node !== '' && node !== behindNode;
}

/** `ip` is the address that was seen; a pod may have several. */
export function podEndpoint(pod: Pod, ip: Address | undefined, zone: string | undefined): Endpoint {
  return {
    kind: 'pod',
    ...(ip === undefined ? {} : { ip }),
    namespace: pod.namespace,
    workload: pod.workload.name,
    workloadKind: pod.workload.kind,
    pod: pod.name,
    ...(pod.node === '' ? {} : { node: pod.node }),
    ...zoneOf(zone),
  };
}

function zoneOf(zone: string | undefined): { zone?: string } {
  return zone === undefined || zone === '' ? {} : { zone };
}
