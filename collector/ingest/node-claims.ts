// What an agent may say: only about its own node. Its certificate proves the node. The cluster's objects prove which pods
// and addresses are of that node. Pure: the same objects give the same judgement.
import { type Address, type Prefix, parsePrefix, prefixContainsAddress } from '../../model/address.ts';

/** `pending`: the object that would prove it is not known yet. It is judged again, and proves nothing until then. */
export type Judgement = 'proven' | 'pending' | 'refused';

/**
 * `private`: nobody else has the address, and no object confirms it. `public`: the same for an address of the internet.
 * `not-usable`: an address of a Service, or one that many nodes have, such as a link-local one. `refused`: it is an address
 * of another node or of a pod.
 */
export type NodeAddressJudgement = 'proven' | 'private' | 'public' | 'not-usable' | 'refused';

/** What the cluster's objects say now, also about pods that were deleted a short time ago. */
export type KnownCluster = {
  podNow(uid: string): { node: string; hostNetwork: boolean } | undefined;
  /** All addresses that the pod ever had. */
  addressesOfPod(uid: string): { addresses: ReadonlySet<Address> };
  /** Uid of the pod that has the address now. */
  podUidNow(address: Address): string | undefined;
  nodeNow(address: Address): { name: string } | undefined;
  isServiceAddress(address: Address): boolean;
  node(name: string): { podPrefixes: readonly Prefix[] } | undefined;
};

export class NodeClaims {
  readonly #cluster: KnownCluster;

  constructor(cluster: KnownCluster) {
    this.#cluster = cluster;
  }

  /** The node that the pod runs on; empty if that is not known. */
  nodeOfPod(uid: string): string {
    return this.#cluster.podNow(uid)?.node ?? '';
  }

  /** Whether the pod is behind an interface of the node. Its node never changes, and its uid is never used again. */
  judgePod(node: string, uid: string): Judgement {
    const pod = this.#cluster.podNow(uid);
    if (pod === undefined || pod.node === '') return 'pending';
    return pod.node === node && !pod.hostNetwork ? 'proven' : 'refused';
  }

  /**
   * Whether an interface of the node has the address: it is one of the pod's. `uid` is empty if the agent does not know the
   * pod. An address that was found only inside the pod's namespace proves nothing, because a pod can add any.
   */
  judgePodAddress(node: string, uid: string, address: Address): Judgement {
    const owner = uid !== '' ? uid : this.#cluster.podUidNow(address);
    if (owner === undefined) return 'pending';
    const judgement = this.judgePod(node, owner);
    if (judgement !== 'proven') return judgement;
    const { addresses } = this.#cluster.addressesOfPod(owner);
    if (addresses.has(address)) return 'proven';
    return addresses.size === 0 ? 'pending' : 'refused';
  }

  /**
   * Whether the address is one of the node itself, such as of a bridge or tunnel. A podCIDR confirms it and never refuses
   * it, because many networks do not use it.
   */
  judgeNodeAddress(node: string, address: Address): NodeAddressJudgement {
    const holder = this.#cluster.nodeNow(address);
    if (holder !== undefined) return holder.name === node ? 'proven' : 'refused';
    if (this.#cluster.podUidNow(address) !== undefined) return 'refused';
    // Nodes may have addresses of Services on an interface (load balancers); the Service is known without them.
    if (this.#cluster.isServiceAddress(address)) return 'not-usable';
    const prefixes = this.#cluster.node(node)?.podPrefixes ?? [];
    if (prefixes.some((prefix) => prefixContainsAddress(prefix, address))) return 'proven';
    if (isIn(address, notUnique)) return 'not-usable';
    return isIn(address, privateRanges) ? 'private' : 'public';
  }
}

const privateRanges = prefixesOf(
  ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'], // RFC 1918
  ['100.64.0.0/10'], // RFC 6598
  ['fc00::/7'], // RFC 4193
);

const notUnique = prefixesOf(
  ['0.0.0.0/8', '127.0.0.0/8', '::/127'], // RFC 1122, RFC 4291
  ['169.254.0.0/16', 'fe80::/10'], // link-local
  ['224.0.0.0/3', 'ff00::/8'], // multicast, reserved, broadcast
);

function prefixesOf(...lists: readonly (readonly string[])[]): readonly Prefix[] {
  return lists.flat().map((text) => parsePrefix(text)!);
}

function isIn(address: Address, prefixes: readonly Prefix[]): boolean {
  return prefixes.some((prefix) => prefixContainsAddress(prefix, address));
}
