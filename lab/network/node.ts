// A node: forwards for its pods, masquerades traffic that leaves the cluster, translates Services, applies the topology's
// enforcement. And its pods, each behind a veth pair.
import { type Address, isIpv6 } from '../../model/address.ts';
import { type LabId, nodeNamespace, podLink, podNamespace } from '../system/names.ts';
import type { LabCluster, LabNode, LabPod } from '../topology/cluster.ts';
import type { Enforcement } from '../topology/enforcement.ts';
import type { World } from '../topology/places.ts';
import type { Topology } from '../topology/topology.ts';
import { bridgedPodPlan, bridgedSide, nodeBridge } from './bridge.ts';
import { addFilters, forwardRules, tcFilters } from './enforcement.ts';
import { fabricAddress, onUnderlay } from './fabric.ts';
import {
  addAddress,
  gatewayOn,
  hostPrefix,
  type LinkPlan,
  leafPlan,
  linkLocal,
  mtuOf,
  type NamespacePlan,
  routerSettings,
} from './plan.ts';
import { serviceRuleset } from './services.ts';

/** `enforcement`: the rules that are in place now. */
export type LabWorld = World & { topology: Topology; id: LabId; enforcement: readonly Enforcement[] };

export function podsOn(node: string, cluster: LabCluster): LabPod[] {
  return cluster.pods.filter((pod) => pod.node === node && !pod.hostNetwork);
}

export function podLinkPlan(id: LabId, pod: LabPod): LinkPlan {
  return {
    namespace: nodeNamespace(id, pod.node),
    name: podLink(pod),
    peerNamespace: podNamespace(id, pod),
    peerName: 'eth0',
  };
}

export function podPlan(world: LabWorld, pod: LabPod): NamespacePlan {
  const { betweenNodes, onNode } = world.topology;
  const namespace = podNamespace(world.id, pod);
  const node = world.cluster.nodes.find((one) => one.name === pod.node);
  if (onNode === 'bridge' && node !== undefined) return bridgedPodPlan(namespace, pod, node, mtuOf(betweenNodes));
  return leafPlan(namespace, pod.addresses, mtuOf(betweenNodes));
}

/** The node's setup for one pod, also when the pod is created later. */
export function podSidePlan(world: LabWorld, pod: LabPod): NamespacePlan {
  const link = podLink(pod);
  const filters = tcFilters(pod, world.enforcement, world);
  const node = world.cluster.nodes.find((one) => one.name === pod.node);
  return {
    namespace: nodeNamespace(world.id, pod.node),
    settings: [
      `echo 0 > /proc/sys/net/ipv4/conf/${link}/rp_filter`,
      `echo 0 > /proc/sys/net/ipv4/conf/${link}/send_redirects`,
      `echo 0 > /proc/sys/net/ipv6/conf/${link}/accept_ra`,
    ],
    ip: [
      `link set ${link} mtu ${mtuOf(world.topology.betweenNodes)}`,
      ...(world.topology.onNode === 'bridge' ? bridgedSide(link) : routedSide(link, pod, node)),
    ],
    bridge: [],
    nft: [],
    after: addFilters(link, filters),
  };
}

function routedSide(link: string, pod: LabPod, node: LabNode | undefined): string[] {
  return [
    ...gatewayOn(link),
    ...pod.addresses.map((address) => `route replace ${hostPrefix(address)} dev ${link}${sourceOf(address, node)}`),
  ];
}

/** The node sends to its pods from its own address, not from the gateway's. */
function sourceOf(podAddress: Address, node: LabNode | undefined): string {
  const own = node?.addresses.find((address) => isIpv6(address) === isIpv6(podAddress));
  return own === undefined ? '' : ` src ${own}`;
}

export function nodePlan(world: LabWorld, node: LabNode): NamespacePlan {
  const { topology, cluster } = world;
  const others = cluster.nodes.filter((one) => one.name !== node.name);
  return {
    namespace: nodeNamespace(world.id, node.name),
    settings: routerSettings,
    ip: [
      'link set lo up',
      'link set eth0 addrgenmode none',
      'link set eth0 up',
      addAddress(`${linkLocal('underlay', cluster.nodes.indexOf(node))}/64`, 'eth0'),
      ...node.addresses.map((address) => addAddress(onUnderlay(address, topology.underlay), 'eth0')),
      ...topology.underlay.map((block) => `route add default via ${fabricAddress(block)} dev eth0`),
      ...(topology.onNode === 'bridge' ? nodeBridge(node) : []),
      ...(topology.betweenNodes === 'vxlan' ? vxlan(node, cluster) : others.flatMap((one) => routesTo(one))),
    ],
    bridge:
      topology.betweenNodes === 'vxlan'
        ? others.map((one) => `fdb append 00:00:00:00:00:00 dev vxlan0 dst ${underlayOf(one)}`)
        : [],
    nft: nodeRules(world, node),
    after: [],
  };
}

/** Every rule of the node, replaced at once; applied again when pods or Services change. */
export function nodeRules(world: LabWorld, node: LabNode): string[] {
  const { topology, cluster } = world;
  const masqueraded = new Set(topology.masqueraded.map((one) => `${one.namespace}/${one.name}`));
  const local = podsOn(node.name, cluster).flatMap((pod) => pod.addresses);
  const localAddresses = new Set<Address>([...local, ...node.addresses]);
  return [
    'table inet lab',
    'delete table inet lab',
    'table inet lab {',
    'chain forward {',
    'type filter hook forward priority 0;',
    // Established connections continue: enforcement decides at the first packet.
    'ct state established,related accept',
    ...forwardRules(node.name, world.enforcement, world),
    '}',
    'chain leaving {',
    'type nat hook postrouting priority 110;',
    ...masqueradeRules(world),
    '}',
    '}',
    ...serviceRuleset(cluster.services, { localAddresses }, (service) =>
      masqueraded.has(`${service.namespace}/${service.name}`),
    ),
  ];
}

/** Packets from a pod to outside the cluster get the node's address, as with most CNIs. */
function masqueradeRules({ cluster, topology }: LabWorld): string[] {
  const inside = [...cluster.nodes.flatMap((node) => node.podPrefixes), ...topology.underlay];
  return (['ip', 'ip6'] as const).flatMap((family) => {
    const blocks = inside.filter((block) => (block.bytes.length === 16) === (family === 'ip6'));
    const pods = cluster.nodes
      .flatMap((node) => node.podPrefixes)
      .filter((block) => (block.bytes.length === 16) === (family === 'ip6'));
    if (pods.length === 0) return [];
    const from = pods.map((block) => block.text).join(', ');
    const within = blocks.map((block) => block.text).join(', ');
    return [`${family} saddr { ${from} } ${family} daddr != { ${within} } masquerade`];
  });
}

function routesTo(node: LabNode): string[] {
  return node.podPrefixes.flatMap((block) => {
    const isV6 = block.bytes.length === 16;
    const via = node.addresses.find((address) => isIpv6(address) === isV6);
    return via === undefined ? [] : [`route add ${block.text} via ${via}`];
  });
}

const vxlanAddress = {
  ipv4: (index: number) => `169.254.2.${index + 1}`,
  ipv6: (index: number) => linkLocal('vxlan', index),
};

/** One VXLAN over the underlay; the next hops to pods are the other nodes' addresses on it. */
function vxlan(node: LabNode, cluster: LabCluster): string[] {
  const own = cluster.nodes.indexOf(node);
  const lines = [
    `link add vxlan0 type vxlan id 42 dstport 4789 local ${underlayOf(node)} dev eth0 nolearning`,
    'link set vxlan0 mtu 1430 addrgenmode none',
    'link set vxlan0 up',
    `addr add ${vxlanAddress.ipv4(own)}/24 dev vxlan0 scope link`,
    `addr add ${vxlanAddress.ipv6(own)}/64 dev vxlan0 nodad`,
  ];
  for (const [index, other] of cluster.nodes.entries()) {
    if (index === own) continue;
    for (const block of other.podPrefixes) {
      const via = block.bytes.length === 16 ? vxlanAddress.ipv6(index) : vxlanAddress.ipv4(index);
      lines.push(`route add ${block.text} via ${via} dev vxlan0`);
    }
  }
  return lines;
}

function underlayOf(node: LabNode): Address {
  return node.addresses.find((address) => !isIpv6(address)) ?? node.addresses[0]!;
}
