// The addresses inside a pod's network namespace, read over rtnetlink by the namespace's id (IFA_TARGET_NETNSID, Linux
// 4.20). No pod namespace is entered, so CAP_NET_ADMIN is enough.
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

/**
 * Global addresses of every interface in the namespace with the id `netnsid` (`ip link` shows it as link-netnsid), in
 * any order. Empty if the namespace is gone or has no address yet. Throws if netlink is refused.
 */
export function peerAddresses(netnsid: number): Address[] {
  const netlink = openNetlink();
  try {
    // Without strict checks the kernel ignores IFA_TARGET_NETNSID and returns the addresses of our own namespace.
    if (!netlink.enableStrictCheck()) return [];
    const found: Address[] = [];
    for (const { type, interrupted, payload } of netlink.dump(RTM_GETADDR, addressRequest(netnsid))) {
      const address = type === RTM_NEWADDR && !interrupted ? globalAddressOf(payload) : undefined;
      if (address !== undefined) found.push(address);
    }
    return found;
  } finally {
    netlink.close();
  }
}

function openNetlink(): NetlinkClient {
  try {
    return new NetlinkClient();
  } catch (cause) {
    throw new Error('cannot open a netlink socket; check that the seccomp profile allows AF_NETLINK', { cause });
  }
}

/** struct ifaddrmsg for all interfaces, then the attribute with the namespace. */
function addressRequest(netnsid: number): Buffer {
  const request = Buffer.alloc(ifaddrmsgBytes + 8);
  request.writeUInt16LE(8, 8);
  request.writeUInt16LE(IFA_TARGET_NETNSID, 10);
  request.writeInt32LE(netnsid, 12);
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
