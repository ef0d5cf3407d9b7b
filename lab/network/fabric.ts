// The network between and beyond the nodes: the underlay that they share, the collector on it, and the outside hosts.
import {
  type Address,
  addressBytes,
  addressFromBytes,
  isIpv6,
  type Prefix,
  prefixContainsBytes,
} from '../../model/address.ts';
import { collectorNamespace, fabricNamespace, type LabId, nodeNamespace, outsideNamespace } from '../system/names.ts';
import type { LabCluster } from '../topology/cluster.ts';
import type { OutsideHost } from '../topology/places.ts';
import {
  addAddress,
  gatewayOn,
  hostPrefix,
  type LinkPlan,
  leafPlan,
  linkLocal,
  type NamespacePlan,
  routerSettings,
  underlayMtu,
} from './plan.ts';

/** The first address of each underlay block is the fabric's. */
export function fabricAddress(block: Prefix): Address {
  return nth(block, 1);
}

/** The second address of each underlay block is the collector's. */
export function collectorAddress(block: Prefix): Address {
  return nth(block, 2);
}

/** `172.20.0.11/24`: an address with the length of the underlay block that holds it. */
export function onUnderlay(address: Address, underlay: readonly Prefix[]): string {
  const block = underlay.find((one) => prefixContainsBytes(one, addressBytes(address)));
  return block === undefined ? hostPrefix(address) : `${address}/${block.bits}`;
}

export function fabricLinks(id: LabId, cluster: LabCluster, outside: readonly OutsideHost[]): LinkPlan[] {
  const from = (name: string, peerNamespace: string): LinkPlan => ({
    namespace: fabricNamespace(id),
    name,
    peerNamespace,
    peerName: 'eth0',
  });
  return [
    from('collector', collectorNamespace(id)),
    ...cluster.nodes.map((node, index) => from(`node${index}`, nodeNamespace(id, node.name))),
    ...outside.map((host, index) => from(`outside${index}`, outsideNamespace(id, host.name))),
  ];
}

export function fabricPlan(
  id: LabId,
  cluster: LabCluster,
  underlay: readonly Prefix[],
  outside: readonly OutsideHost[],
): NamespacePlan {
  const ports = ['collector', ...cluster.nodes.map((_, index) => `node${index}`)];
  // A load balancer in front of a cluster forwards to some node; here always to the first one.
  const first = cluster.nodes[0];
  const balanced = cluster.services.flatMap((service) => service.outerAddresses);
  return {
    namespace: fabricNamespace(id),
    settings: routerSettings,
    ip: [
      'link set lo up',
      'link add underlay type bridge mcast_snooping 0',
      'link set underlay addrgenmode none',
      'link set underlay up',
      ...ports.flatMap((port) => [`link set ${port} master underlay addrgenmode none`, `link set ${port} up`]),
      addAddress(`${linkLocal('underlay', cluster.nodes.length)}/64`, 'underlay'),
      ...underlay.map((block) => addAddress(`${fabricAddress(block)}/${block.bits}`, 'underlay')),
      ...outside.flatMap((host, index) => [
        ...gatewayOn(`outside${index}`),
        ...host.addresses.map((address) => `route add ${hostPrefix(address)} dev outside${index}`),
      ]),
      ...balanced.flatMap((address) => {
        const via = first?.addresses.find((one) => isIpv6(one) === isIpv6(address));
        return via === undefined ? [] : [`route add ${hostPrefix(address)} via ${via}`];
      }),
    ],
    bridge: [],
    nft: [],
    after: [],
  };
}

export function collectorPlan(id: LabId, underlay: readonly Prefix[]): NamespacePlan {
  return {
    namespace: collectorNamespace(id),
    settings: [],
    ip: [
      'link set lo up',
      'link set eth0 addrgenmode none',
      'link set eth0 up',
      ...underlay.map((block) => addAddress(`${collectorAddress(block)}/${block.bits}`, 'eth0')),
    ],
    bridge: [],
    nft: [],
    after: [],
  };
}

export function outsidePlan(id: LabId, host: OutsideHost): NamespacePlan {
  return leafPlan(outsideNamespace(id, host.name), host.addresses, underlayMtu);
}

function nth(block: Prefix, offset: number): Address {
  const bytes = Uint8Array.from(block.bytes);
  bytes[bytes.length - 1]! += offset;
  return addressFromBytes(bytes);
}
