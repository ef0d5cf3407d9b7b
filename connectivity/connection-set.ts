// A set of connections between two ends: protocols with ranges of ports, as text and as JSON.
import { protocolName, SCTP, TCP, UDP } from '../model/protocol.ts';

/** Includes both ends. */
export type PortRange = { from: number; to: number };

/** `names`: container ports of pods whose port numbers are not known. `other`: every protocol without ports, such as ICMP (rule 11). */
export type PortProtocol = typeof TCP | typeof UDP | typeof SCTP;
export type ProtocolPorts =
  | { protocol: PortProtocol; ports: readonly PortRange[]; names?: readonly string[] }
  | { protocol: 'other'; ports: readonly []; names?: undefined };

/** Ordered TCP, UDP, SCTP, other. Port ranges are ordered, with a gap between two ranges. */
export type ConnectionSet = readonly ProtocolPorts[];

export const portProtocols: readonly PortProtocol[] = [TCP, UDP, SCTP];
export const firstPort = 1;
export const lastPort = 65_535;

/** A range of ports with the same verdict. `name`: the port with this name; its number here is above all port numbers. */
export type PortSegment = PortRange & { protocol: PortProtocol | 'other'; name?: string };

/** Merges adjacent segments. `segments` are ordered by protocol and port. Names are left out if all ports are in the set. */
export function connectionSetOf(segments: readonly PortSegment[]): ConnectionSet {
  const byProtocol = Map.groupBy(segments, ({ protocol }) => protocol);
  return [...byProtocol].map(([protocol, ofProtocol]): ProtocolPorts => {
    if (protocol === 'other') return { protocol, ports: [] };
    const ports: PortRange[] = [];
    for (const { from, to, name } of ofProtocol) {
      const last = ports.at(-1);
      if (name !== undefined) continue;
      if (last !== undefined && last.to + 1 === from) last.to = to;
      else ports.push({ from, to });
    }
    const names = ofProtocol.flatMap(({ name }) => name ?? []);
    const all = { protocol, ports };
    return names.length === 0 || coversAllPorts(all) ? all : { ...all, names };
  });
}

/** `TCP 80,8000-8080; UDP 53`. */
export function connectionSetText(connections: ConnectionSet): string {
  if (connections.length === 4 && connections.every(coversAllPorts)) return 'all connections';
  return connections
    .map((one) => (one.protocol === 'other' ? 'other protocols' : `${protocolName(one.protocol)} ${portsText(one)}`))
    .join('; ');
}

/** JSON output (docs/json.md). */
export type ProtocolPortsJson = { protocol: string; ports?: readonly PortRange[]; names?: readonly string[] };

export function connectionSetJson(connections: ConnectionSet): ProtocolPortsJson[] {
  return connections.map((one) =>
    one.protocol === 'other'
      ? { protocol: 'other' }
      : {
          protocol: protocolName(one.protocol),
          ports: one.ports.map(({ from, to }) => ({ from, to })),
          ...(one.names && { names: one.names }),
        },
  );
}

function coversAllPorts({ protocol, ports }: ProtocolPorts): boolean {
  return protocol === 'other' || (ports.length === 1 && ports[0]!.from === firstPort && ports[0]!.to === lastPort);
}

function portsText({ ports, names = [] }: ProtocolPorts): string {
  return [
    ...ports.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)),
    ...names.map((name) => `port named ${name}`),
  ].join(',');
}
