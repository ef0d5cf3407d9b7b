// Recognises the outer packet of a tunnel: by its protocol, or by the responder's port. docs/replay.md lists them.
import { UDP } from '../../../model/protocol.ts';
import { GRE } from './gre.ts';
import type { Packet } from './packet.ts';

export const tunnelProtocols = {
  /** RFC 2003, RFC 4213: no header of their own. */
  ipInIp: 4,
  ipv6InIp: 41,
  gre: GRE,
  /** RFC 3378. */
  etherIp: 97,
  /** RFC 4023. */
  mplsInIp: 137,
  /** RFC 8986. */
  ethernet: 143,
} as const;

export const tunnelPorts = {
  gtp: 2152,
  /** The port of RFC 7348, and Linux's default port. */
  vxlan: 4789,
  linuxVxlan: 8472,
  vxlanGpe: 4790,
  /** RFC 8926. */
  geneve: 6081,
  /** RFC 7510. */
  mpls: 6635,
} as const;

const protocols: ReadonlySet<number> = new Set(Object.values(tunnelProtocols));
const ports: ReadonlySet<number> = new Set(Object.values(tunnelPorts));

/** Checks protocol and port only, because an ICMP error may quote no more. */
export function isTunnel({ protocol, destinationPort }: Packet): boolean {
  return protocol === UDP ? ports.has(destinationPort) : protocols.has(protocol);
}
