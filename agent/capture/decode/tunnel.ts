// Recognises the outer packet of a tunnel: by its protocol, or by the responder's port.
import { UDP } from '../../../model/protocol.ts';
import type { Packet } from './packet.ts';

/** Tunnels without a header of their own (RFC 2003, RFC 4213). */
export const IP_IN_IP = 4;
export const IPV6_IN_IP = 41;
/** RFC 8926. */
export const genevePort = 6081;

/** The port of RFC 7348, and Linux's default port. */
export function isVxlanPort(port: number): boolean {
  return port === 4789 || port === 8472;
}

/** Checks protocol and port only, because an ICMP error may quote no more. */
export function isTunnel({ protocol, destinationPort }: Packet): boolean {
  if (protocol === IP_IN_IP || protocol === IPV6_IN_IP) return true;
  return protocol === UDP && (isVxlanPort(destinationPort) || destinationPort === genevePort);
}
