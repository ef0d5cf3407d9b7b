// What marks a packet as the carrier of another one: its protocol, or the port of its responder.
import { UDP } from '../../../model/protocol.ts';
import type { Packet } from './packet.ts';

/** Tunnels without a header of their own (RFC 2003, RFC 4213). */
export const IP_IN_IP = 4;
export const IPV6_IN_IP = 41;
/** VXLAN (RFC 7348) and Linux's own port for it; Geneve (RFC 8926). */
export const vxlanPorts: ReadonlySet<number> = new Set([4789, 8472]);
export const genevePort = 6081;

/** By protocol and port alone: an ICMP error quotes no more of it. */
export function isTunnel({ protocol, destinationPort }: Packet): boolean {
  if (protocol === IP_IN_IP || protocol === IPV6_IN_IP) return true;
  return protocol === UDP && (vxlanPorts.has(destinationPort) || destinationPort === genevePort);
}
