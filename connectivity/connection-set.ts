// A set of connections between two ends: protocols with ranges of ports, as text and as JSON.
import { protocolName, SCTP, TCP, UDP } from '../model/protocol.ts';

/** Includes both ends. */
export type PortRange = { from: number; to: number };

/** `other`: every protocol without ports, such as ICMP (rule 11). */
export type PortProtocol = typeof TCP | typeof UDP | typeof SCTP;
export type ProtocolPorts =
  | { protocol: PortProtocol; ports: readonly PortRange[] }
  | { protocol: 'other'; ports: readonly [] };

/** Ordered TCP, UDP, SCTP, other. Port ranges are ordered, with a gap between two ranges. */
export type ConnectionSet = readonly ProtocolPorts[];

export const portProtocols: readonly PortProtocol[] = [TCP, UDP, SCTP];
export const firstPort = 1;
export const lastPort = 65_535;

/** A range of ports with the same verdict. */
export type PortSegment = PortRange & { protocol: PortProtocol | 'other' };

/** Merges adjacent segments. `segments` are ordered by protocol and port. */
export function connectionSetOf(segments: readonly PortSegment[]): ConnectionSet {
  const protocols: ProtocolPorts[] = [];
  let ports: PortRange[] = [];
  let openProtocol: PortProtocol | undefined;
  for (const { protocol, from, to } of segments) {
    if (protocol === 'other') {
      protocols.push({ protocol, ports: [] });
      continue;
    }
    if (protocol !== openProtocol) {
      openProtocol = protocol;
      ports = [];
      protocols.push({ protocol, ports });
    }
    const last = ports.at(-1);
    if (last !== undefined && last.to + 1 === from) last.to = to;
    else ports.push({ from, to });
  }
  return protocols;
}

/** `TCP 80,8000-8080; UDP 53`. */
export function connectionSetText(connections: ConnectionSet): string {
  if (connections.length === 4 && connections.every(coversAllPorts)) return 'all connections';
  return connections
    .map((one) => (one.protocol === 'other' ? 'other protocols' : `${protocolName(one.protocol)} ${portsText(one)}`))
    .join('; ');
}

/** JSON output (docs/json.md). */
export type ProtocolPortsJson = { protocol: string; ports?: readonly PortRange[] };

export function connectionSetJson(connections: ConnectionSet): ProtocolPortsJson[] {
  return connections.map((one) =>
    one.protocol === 'other'
      ? { protocol: 'other' }
      : { protocol: protocolName(one.protocol), ports: one.ports.map(({ from, to }) => ({ from, to })) },
  );
}

function coversAllPorts({ protocol, ports }: ProtocolPorts): boolean {
  return protocol === 'other' || (ports.length === 1 && ports[0]!.from === firstPort && ports[0]!.to === lastPort);
}

function portsText({ ports }: ProtocolPorts): string {
  return ports.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(',');
}
