// The addresses inside a pod's network namespace, asked from outside by the namespace's id over rtnetlink: no pod
// namespace is entered, so CAP_NET_ADMIN is enough (IFA_TARGET_NETNSID, Linux 4.20).
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
 * Global addresses of every interface in the namespace that this one knows by `netnsid` (`ip link` shows it as
 * link-netnsid), in no order; empty where the namespace is gone or holds none yet. Throws where netlink is refused.
 */
export function peerAddresses(netnsid: number): Address[] {
  const netlink = openNetlink();
  try {
    // Without it the kernel ignores IFA_TARGET_NETNSID in a dump, and returns this namespace's own addresses (Linux 4.20).
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
    throw new Error('no netlink socket: is AF_NETLINK allowed by the seccomp profile?', { cause });
  }
}

/** struct ifaddrmsg of any interface, then the namespace. */
function addressRequest(netnsid: number): Buffer {
  const request = Buffer.alloc(ifaddrmsgBytes + 8);
  request.writeUInt16LE(8, 8);
  request.writeUInt16LE(IFA_TARGET_NETNSID, 10);
  request.writeInt32LE(netnsid, 12);
  return request;
}

/** Of an RTM_NEWADDR; undefined where the address is of another family or scope. */
export function globalAddressOf(payload: Buffer): Address | undefined {
  const family = payload[0];
  const width = family === AF_INET ? 4 : family === AF_INET6 ? 16 : 0;
  if (width === 0 || payload[3] !== SCOPE_UNIVERSE) return undefined;
  let local: Buffer | undefined;
  for (const { type, value } of attributesOf(payload.subarray(ifaddrmsgBytes))) {
    // On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL our own; elsewhere they are the same.
    if (value.length === width && (type === IFA_LOCAL || (type === IFA_ADDRESS && local === undefined))) local = value;
  }
  return local === undefined ? undefined : addressFromBytes(local);
}
