// What marks a packet as the carrier of another one: its protocol, or the port of its responder.
import { UDP } from '../../../model/protocol.ts';
import type { Packet } from './packet.ts';

/** Tunnels without a header of their own (RFC 2003, RFC 4213). */
export const IP_IN_IP = 4;
export const IPV6_IN_IP = 41;
/** RFC 8926. */
export const genevePort = 6081;

/** RFC 7348, and Linux's own port from before it. */
export function isVxlanPort(port: number): boolean {
  return port === 4789 || port === 8472;
}

/** By protocol and port alone: an ICMP error quotes no more of it. */
export function isTunnel({ protocol, destinationPort }: Packet): boolean {
  if (protocol === IP_IN_IP || protocol === IPV6_IN_IP) return true;
  return protocol === UDP && (isVxlanPort(destinationPort) || destinationPort === genevePort);
}
