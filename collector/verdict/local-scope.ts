// What never leaves the link, or is the network's own housekeeping: counted, and kept out of findings (docs/join.md).
import {
  type Address,
  addressBytes,
  type Prefix,
  parseAddress,
  parsePrefix,
  prefixHolds,
} from '../../model/address.ts';
import { ICMPV6, UDP } from '../../model/protocol.ts';
import type { Tuple } from '../../model/record.ts';

const localPrefixes: readonly Prefix[] = [
  '224.0.0.0/4', // multicast, RFC 5771
  'ff00::/8', // multicast, RFC 4291
  '255.255.255.255/32', // broadcast, RFC 919
  '169.254.0.0/16', // link-local, RFC 3927
  'fe80::/10', // link-local, RFC 4291
  '0.0.0.0/32', // no address yet
  '::/128',
].map((text) => parsePrefix(text)!);

/** Cloud metadata stands on link-local and unique-local addresses, and who reaches it is worth knowing. */
const metadata: ReadonlySet<Address> = new Set(
  [
    '169.254.169.254', // AWS, Azure, Google, OpenStack
    '169.254.170.2', // AWS task credentials
    '169.254.170.23', // AWS pod identity
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254', // Google
  ].map((text) => parseAddress(text)!),
);

const dhcpPorts: ReadonlySet<number> = new Set([67, 68, 546, 547]); // RFC 2131, RFC 8415

export function isLocalScope(protocol: number, tuple: Tuple): boolean {
  if (metadata.has(tuple.responder)) return false;
  if (protocol === UDP && dhcpPorts.has(tuple.responderPort) && dhcpPorts.has(tuple.initiatorPort)) return true;
  // An echo carries its identifier; what has none is neighbour discovery, MLD and the like (RFC 4861, RFC 3810).
  if (protocol === ICMPV6 && tuple.initiatorPort === 0 && tuple.responderPort === 0) return true;
  return isLocal(tuple.initiator) || isLocal(tuple.responder);
}

function isLocal(address: Address): boolean {
  const bytes = addressBytes(address);
  return localPrefixes.some((prefix) => prefixHolds(prefix, bytes));
}
