// Pods behind a bridge of their node, as the bridge CNI plugin sets them up: one subnet per node. Its first address is
// the bridge's and the pods' gateway. Traffic between pods of a node is switched and never takes its forward path.
import { type Address, addressBytes, addressFromBytes, type Prefix, prefixContainsBytes } from '../../model/address.ts';
import type { LabNode, LabPod } from '../topology/cluster.ts';
import { addAddress, endpointPlan, linkGateway, type NamespacePlan } from './plan.ts';

const bridge = 'cni0';

export function nodeBridge(node: LabNode): string[] {
  return [
    `link add ${bridge} type bridge mcast_snooping 0`,
    `link set ${bridge} addrgenmode none`,
    `link set ${bridge} up`,
    addAddress(`${linkGateway.ipv6}/64`, bridge),
    ...node.podPrefixes.map((block) => addAddress(`${gatewayOf(block)}/${block.bits}`, bridge)),
  ];
}

/** The host side of the pod's veth pair. Hairpin: a pod that connects to its own Service gets its own packet back. */
export function bridgedSide(link: string): string[] {
  return [
    `link set ${link} master ${bridge} addrgenmode none`,
    `link set ${link} type bridge_slave hairpin on`,
    `link set ${link} up`,
  ];
}

export function bridgedPodPlan(namespace: string, pod: LabPod, node: LabNode, mtu: number): NamespacePlan {
  const blocks = pod.addresses.map((address) => ({ address, block: blockOf(address, node) }));
  return endpointPlan(namespace, mtu, [
    ...blocks.map(({ address, block }) => addAddress(`${address}/${block.bits}`, 'eth0')),
    ...blocks.map(({ block }) => `route add default via ${gatewayOf(block)} dev eth0`),
  ]);
}

function blockOf(address: Address, node: LabNode): Prefix {
  return node.podPrefixes.find((block) => prefixContainsBytes(block, addressBytes(address)))!;
}

function gatewayOf(block: Prefix): Address {
  const bytes = Uint8Array.from(block.bytes);
  bytes[bytes.length - 1]! += 1;
  return addressFromBytes(bytes);
}
