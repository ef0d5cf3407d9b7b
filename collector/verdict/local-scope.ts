// Loopback, link-local and multicast traffic, DHCP and neighbour discovery: counted, but never a finding (docs/join.md).

import type { JoinedConnection } from '../../model/joined.ts';
import { ICMPV6, UDP } from '../../model/protocol.ts';
import type { Tuple } from '../../model/record.ts';
import { isCloudMetadata, isLoopback, localZoneOf } from '../identity/local-addresses.ts';

const dhcpPorts: ReadonlySet<number> = new Set([67, 68, 546, 547]); // RFC 2131, RFC 8415

/**
 * By the addresses. A pod can write a link-local source address, and reach anybody with it. `of`: a node-local service is
 * known by its address, though the address is not unique.
 */
export function isLocalScope(
  { originalTuple: { initiator, responder }, source }: JoinedConnection,
  of: 'one-link' | 'node-local-service',
): boolean {
  if (isCloudMetadata(responder)) return false;
  // What a pod sends to a loopback address by its interface may reach programs of the node.
  if (source !== undefined && isLoopback(responder)) return false;
  if (source === undefined && localZoneOf(initiator) !== undefined) return true;
  return of === 'one-link' && localZoneOf(responder) !== undefined;
}

/**
 * What only hosts of one link do: renewals of DHCP, and ICMPv6 without an identifier, which is neighbour discovery (RFC
 * 4861). Anybody can send such packets anywhere, so they count as local only within one node.
 */
export function isLinkProtocol(protocol: number, { initiatorPort, responderPort }: Tuple): boolean {
  if (protocol === UDP) return dhcpPorts.has(initiatorPort) && dhcpPorts.has(responderPort);
  return protocol === ICMPV6 && initiatorPort === 0 && responderPort === 0;
}
