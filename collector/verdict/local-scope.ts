// Link-local and multicast traffic, DHCP and neighbour discovery: counted, but never a finding (docs/join.md).
import { ICMPV6, UDP } from '../../model/protocol.ts';
import type { Tuple } from '../../model/record.ts';
import { isCloudMetadata, localZoneOf } from '../identity/local-addresses.ts';

const dhcpPorts: ReadonlySet<number> = new Set([67, 68, 546, 547]); // RFC 2131, RFC 8415

export function isLocalScope(protocol: number, tuple: Tuple): boolean {
  if (isCloudMetadata(tuple.responder)) return false;
  if (protocol === UDP && dhcpPorts.has(tuple.responderPort) && dhcpPorts.has(tuple.initiatorPort)) return true;
  // An echo request has an identifier. ICMPv6 without one is neighbour discovery or MLD (RFC 4861, RFC 3810).
  if (protocol === ICMPV6 && tuple.initiatorPort === 0 && tuple.responderPort === 0) return true;
  return localZoneOf(tuple.initiator) !== undefined || localZoneOf(tuple.responder) !== undefined;
}
