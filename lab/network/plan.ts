// A lab's network as data: which namespaces and links there are, and what is set inside each. Pure; carried out by
// apply.ts. Routed, every packet of a pod crosses its node's forward path: pods have /32 and /128 addresses and reach
// all others by their node, those on the same node too. With a bridge (bridge.ts) those on the same node share a link.
import type { Address } from '../../model/address.ts';
import { isIpv6 } from '../../model/address.ts';

/** What is done inside one namespace, in this order: `settings` (shell), `ip` and `bridge` batches, nft, `after`. */
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

/** The next hop that a node is to its pods, and the fabric to outside hosts: the same on every link, as some CNIs do. */
export const linkGateway = { ipv4: '169.254.1.1', ipv6: 'fe80::1' } as const;

/**
 * The link-local address of the nth party on a shared link. A router that has none there cannot ask for the neighbour of
 * a packet that it forwards: Linux solicits from a link-local address then (RFC 4861, 7.2.2).
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

/** An address of a host that shares no subnet with anyone. */
export function hostPrefix(address: Address): string {
  return `${address}/${isIpv6(address) ? 128 : 32}`;
}

/** Addresses are used at once: no duplicate address detection, which takes a second. */
export function addAddress(prefix: string, link: string): string {
  return `addr add ${prefix} dev ${link}${prefix.includes(':') ? ' nodad' : ''}`;
}

/** Forwards both families, trusts no reverse path (a packet may go one way and come another), sends no redirect. */
export const routerSettings: readonly string[] = [
  'echo 1 > /proc/sys/net/ipv4/ip_forward',
  'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
  'for file in /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/send_redirects; do echo 0 > $file; done',
];

/** A link that answers for the gateway's addresses; scope link, so that no packet is masqueraded to one of them. */
export function gatewayOn(link: string): string[] {
  return [
    `link set ${link} addrgenmode none`,
    `link set ${link} up`,
    `addr add ${linkGateway.ipv4}/32 scope link dev ${link}`,
    `addr add ${linkGateway.ipv6}/64 dev ${link} nodad`,
  ];
}

/** What stands inside a pod or an outside host: its addresses, and everything else behind the gateway. */
export function leafPlan(namespace: string, addresses: readonly Address[], mtu: number): NamespacePlan {
  const routes = addresses.some((address) => !isIpv6(address))
    ? [`route add ${linkGateway.ipv4} dev eth0 scope link`, `route add default via ${linkGateway.ipv4} dev eth0`]
    : [];
  const routes6 = addresses.some(isIpv6) ? [`route add default via ${linkGateway.ipv6} dev eth0`] : [];
  return {
    namespace,
    settings: ['echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_ra', 'echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter'],
    ip: [
      'link set lo up',
      `link set eth0 mtu ${mtu} addrgenmode none`,
      'link set eth0 up',
      ...addresses.map((address) => addAddress(hostPrefix(address), 'eth0')),
      ...routes,
      ...routes6,
    ],
    bridge: [],
    nft: [],
    after: [],
  };
}
