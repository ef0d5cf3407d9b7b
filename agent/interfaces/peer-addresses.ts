// The addresses inside a pod's network namespace, read over rtnetlink by the namespace's id (IFA_TARGET_NETNSID and
// IFLA_TARGET_NETNSID, Linux 4.20). No pod namespace is entered, so CAP_NET_ADMIN is enough.
import { attributesOf, NetlinkClient } from '../../kernel/netlink.ts';
import { type Address, addressFromBytes } from '../../model/address.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_TARGET_NETNSID = 10;
const SCOPE_UNIVERSE = 0;
const ifaddrmsgBytes = 8; // struct ifaddrmsg
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const IFLA_ADDRESS = 1;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_TARGET_NETNSID = 46;
const NLA_TYPE_MASK = 0x3fff;
const IFF_LOOPBACK = 8;
const IFF_NOARP = 0x80;
const ifinfomsgBytes = 16; // struct ifinfomsg
const linkAddressBytes = 6;

/** Links that lead out of a pod. A link without a kind is hardware, such as an SR-IOV function. */
const exitKinds: ReadonlySet<string> = new Set(['', 'veth', 'netkit', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap']);

/**
 * The pod's side of a link: its link address (6 bytes; undefined: unknown, or the link has none), and the global addresses
 * in the pod except those of other links that lead out of it. A program in the pod can change both.
 */
export type PodAddresses = { linkAddress: Buffer | undefined; addresses: readonly Address[] };

/**
 * The pod's side of a link: the interface `peerIndex` in the namespace with the id `netnsid` (`ip link` shows both of the
 * host's side). Throws if netlink is refused.
 */
export function podAddresses({ netnsid, peerIndex }: { netnsid: number; peerIndex: number }): PodAddresses {
  const netlink = openNetlink();
  try {
    // Without strict checks the kernel ignores the id and returns what is in our own namespace.
    if (!netlink.enableStrictCheck()) return { linkAddress: undefined, addresses: [] };
    const links = linksIn(netlink, netnsid);
    const others = [...links].filter(
      ([index, { kind, isLoopback }]) => index !== peerIndex && !isLoopback && exitKinds.has(kind),
    );
    return {
      linkAddress: links.get(peerIndex)?.linkAddress,
      addresses: globalAddresses(netlink, netnsid, new Set(others.map(([index]) => index))),
    };
  } finally {
    netlink.close();
  }
}

/** In any order. Empty if the namespace is gone or has no address yet. */
function globalAddresses(netlink: NetlinkClient, netnsid: number, exceptLinks: ReadonlySet<number>): Address[] {
  const found: Address[] = [];
  const request = requestFor(ifaddrmsgBytes, IFA_TARGET_NETNSID, netnsid);
  for (const { type, interrupted, payload } of netlink.dump(RTM_GETADDR, request)) {
    if (type !== RTM_NEWADDR || interrupted || exceptLinks.has(payload.readInt32LE(4))) continue;
    const address = globalAddressOf(payload);
    if (address !== undefined) found.push(address);
  }
  return found;
}

/** `linkAddress` is undefined for links without link addresses (netkit at layer 3, flag NOARP). */
type PodLink = { linkAddress: Buffer | undefined; kind: string; isLoopback: boolean };

/** By interface index in the namespace. */
function linksIn(netlink: NetlinkClient, netnsid: number): Map<number, PodLink> {
  const found = new Map<number, PodLink>();
  const request = requestFor(ifinfomsgBytes, IFLA_TARGET_NETNSID, netnsid);
  for (const { type, interrupted, payload } of netlink.dump(RTM_GETLINK, request)) {
    if (type !== RTM_NEWLINK || interrupted) continue;
    const isLoopback = (payload.readUInt32LE(8) & IFF_LOOPBACK) !== 0;
    found.set(payload.readInt32LE(4), { linkAddress: linkAddressOf(payload), kind: kindOf(payload), isLoopback });
  }
  return found;
}

/** As `ip -d link` shows it; empty for hardware and loopback. */
function kindOf(payload: Buffer): string {
  for (const { type, value } of attributesOf(payload.subarray(ifinfomsgBytes))) {
    if ((type & NLA_TYPE_MASK) !== IFLA_LINKINFO) continue;
    for (const info of attributesOf(value)) {
      if (info.type === IFLA_INFO_KIND) return info.value.toString('latin1').replaceAll('\0', '');
    }
  }
  return '';
}

/** The address in an RTM_NEWLINK message. */
export function linkAddressOf(payload: Buffer): Buffer | undefined {
  if ((payload.readUInt32LE(8) & IFF_NOARP) !== 0) return undefined;
  for (const { type, value } of attributesOf(payload.subarray(ifinfomsgBytes))) {
    if (type !== IFLA_ADDRESS || value.length !== linkAddressBytes || value.every((byte) => byte === 0)) continue;
    return Buffer.from(value);
  }
  return undefined;
}

function openNetlink(): NetlinkClient {
  try {
    return new NetlinkClient();
  } catch (cause) {
    throw new Error('cannot open a netlink socket; check that the seccomp profile allows AF_NETLINK', { cause });
  }
}

/** The fixed structure with zeros for all interfaces, then the attribute with the namespace. */
function requestFor(structBytes: number, attribute: number, netnsid: number): Buffer {
  const request = Buffer.alloc(structBytes + 8);
  request.writeUInt16LE(8, structBytes);
  request.writeUInt16LE(attribute, structBytes + 2);
  request.writeInt32LE(netnsid, structBytes + 4);
  return request;
}

/** The address in an RTM_NEWADDR message; undefined if its family or scope is another one. */
export function globalAddressOf(payload: Buffer): Address | undefined {
  const family = payload[0];
  const width = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
  if (width === 0 || payload[3] !== SCOPE_UNIVERSE) return undefined;
  let local: Buffer | undefined;
  for (const { type, value } of attributesOf(payload.subarray(ifaddrmsgBytes))) {
    // On a point-to-point link IFA_ADDRESS is the peer's address and IFA_LOCAL our own; on others they are equal.
    if (value.length === width && (type === IFA_LOCAL || (type === IFA_ADDRESS && local === undefined))) local = value;
  }
  return local === undefined ? undefined : addressFromBytes(local);
}
