// A lab's network as data: its namespaces and links, and the setup inside each. Pure; apply.ts applies it. Routed, every
// packet of a pod takes its node's forward path: pods have /32 and /128 addresses and reach each other by their node,
// also on the same node. With a bridge (bridge.ts) pods on the same node share a link.
import type { Address } from '../../model/address.ts';
import { isIpv6 } from '../../model/address.ts';

/** The setup inside one namespace, in this order: `settings` (shell), `ip` and `bridge` batches, nft, `after` (shell). */
export type NamespacePlan = {
  namespace: string;
  settings: readonly string[];
  ip: readonly string[];
  bridge: readonly string[];
  nft: readonly string[];
  after: readonly string[];
};

/** A pair of links, each in a namespace of its own. */
export type LinkPlan = { namespace: string; name: string; peerNamespace: string; peerName: string };

export type NetworkPlan = {
  namespaces: readonly string[];
  links: readonly LinkPlan[];
  inside: readonly NamespacePlan[];
};

/** The gateway address of pods and outside hosts: the same on every link, as with some CNIs. */
export const linkGateway = { ipv4: '169.254.1.1', ipv6: 'fe80::1' } as const;

/**
 * The link-local address of the nth node on a shared link. A router needs one there to resolve the next hop of a packet
 * that it forwards: Linux sends the solicitation from a link-local address (RFC 4861, 7.2.2).
 */
export function linkLocal(link: 'underlay' | 'vxlan', index: number): string {
  return `fe80::${link === 'underlay' ? 'a' : 'b'}:${(index + 1).toString(16)}`;
}

/** VXLAN over IPv4 adds 50 bytes, over IPv6 70. */
export const underlayMtu = 1500;
export const vxlanMtu = 1430;

export function mtuOf(betweenNodes: 'routed' | 'vxlan'): number {
  return betweenNodes === 'vxlan' ? vxlanMtu : underlayMtu;
}

/** The address of a host that shares no subnet with another. */
export function hostPrefix(address: Address): string {
  return `${address}/${isIpv6(address) ? 128 : 32}`;
}

/** Without duplicate address detection, which takes a second. */
export function addAddress(prefix: string, link: string): string {
  return `addr add ${prefix} dev ${link}${prefix.includes(':') ? ' nodad' : ''}`;
}

/** Forwards both families, checks no reverse path (routes may be asymmetric), sends no redirects. */
export const routerSettings: readonly string[] = [
  'echo 1 > /proc/sys/net/ipv4/ip_forward',
  'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
  'for file in /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 > $file; done',
];

/** A link with the gateway's addresses; scope link, so that masquerading never picks one of them. */
export function gatewayOn(link: string): string[] {
  return [
    `link set ${link} addrgenmode none`,
    `link set ${link} up`,
    `addr add ${linkGateway.ipv4}/32 scope link dev ${link}`,
    `addr add ${linkGateway.ipv6}/64 dev ${link} nodad`,
  ];
}

/** The setup inside a pod or an outside host: its link, then its addresses and routes (`ip`). */
export function endpointPlan(namespace: string, mtu: number, ip: readonly string[]): NamespacePlan {
  return {
    namespace,
    settings: ['echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_ra', 'echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter'],
    ip: ['link set lo up', `link set eth0 mtu ${mtu} addrgenmode none`, 'link set eth0 up', ...ip],
    bridge: [],
    nft: [],
    after: [],
  };
}

/** A pod or an outside host that shares no subnet: its addresses, and a default route through the gateway. */
export function leafPlan(namespace: string, addresses: readonly Address[], mtu: number): NamespacePlan {
  const routes = addresses.some((address) => !isIpv6(address))
    ? [`route add ${linkGateway.ipv4} dev eth0 scope link`, `route add default via ${linkGateway.ipv4} dev eth0`]
    : [];
  const routes6 = addresses.some(isIpv6) ? [`route add default via ${linkGateway.ipv6} dev eth0`] : [];
  return endpointPlan(namespace, mtu, [
    ...addresses.map((address) => addAddress(hostPrefix(address), 'eth0')),
    ...routes,
    ...routes6,
  ]);
}
