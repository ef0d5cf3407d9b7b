// Whether a rule's ports match (rules 6, 10, 11 and 25). A name is a container port of the responder, in both directions.
import type { ClusterPort, UndefinedPorts } from '../model/kubernetes.ts';
import { hasPorts } from '../model/protocol.ts';
import type { Flow } from '../model/verdict.ts';

/** `no-such-protocol`: no entry has the connection's protocol. */
export type PortMatch = 'yes' | 'no-such-port' | 'no-such-protocol';

export function portsMatch(ports: readonly ClusterPort[], flow: Flow): PortMatch {
  if (ports.length === 0) return 'yes';
  if (!hasPorts(flow.protocol)) return 'no-such-protocol';
  let nearest: PortMatch = 'no-such-protocol';
  for (const one of ports) {
    if (one.protocol !== undefined && one.protocol !== flow.protocol) continue;
    if (portMatches(one, flow)) return 'yes';
    nearest = 'no-such-port';
  }
  return nearest;
}

/** Whether ports that the API does not define could match. */
export function mayMatchUndefined(ports: readonly UndefinedPorts[], { protocol }: Flow): boolean {
  return ports.some((one) => one.protocol === undefined || one.protocol === protocol);
}

function portMatches({ port, endPort }: ClusterPort, { protocol, port: flowPort, responder }: Flow): boolean {
  if (port === undefined) return true;
  if (flowPort === undefined) return false;
  if (typeof port === 'number')
    return endPort === undefined ? flowPort === port : flowPort >= port && flowPort <= endPort;
  if (responder.kind !== 'pod') return false;
  for (const one of responder.ports) {
    if (one.name === port && one.protocol === protocol && one.port === flowPort) return true;
  }
  return false;
}
