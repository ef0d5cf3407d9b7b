// A port without a protocol is TCP (rule 10), but for some ports UDP was probably meant.

import type { FieldPath } from '../../model/field-path.ts';
import { SCTP, TCP, UDP } from '../../model/protocol.ts';
import type { LintRule } from '../complaint.ts';
import type { DeclaredObjects } from '../declared-objects.ts';
import { responderPorts } from '../responder-ports.ts';
import type { RuleView } from '../rule-view.ts';

export const probablyUdp: LintRule = {
  name: 'probably-udp',
  severity: 'medium',
  summary:
    'a port without `protocol`, so TCP, that was probably meant as UDP: a well-known UDP port, or a container’s UDP port',
  *find(declared) {
    for (const rule of declared.rules) {
      for (const { port, endPort, protocol, path } of rule.ports) {
        if (protocol !== TCP || port === undefined || !isLeftOut(declared, rule, path)) continue;
        const [first, last] = [port, endPort ?? port];
        const why = reason(rule, first, last, declared);
        if (why === undefined || hasUdp(declared, rule, port)) continue;
        const text = endPort === undefined ? `port ${port}` : `ports ${port} to ${endPort}`;
        const fault = `${text} without protocol means TCP, and ${why}`;
        yield { object: rule.policy, path, fault, fix: 'set protocol: UDP, or protocol: TCP if that is meant' };
      }
    }
  },
};

/** Ports that only or mostly UDP uses. */
const wellKnownUdpPorts = new Map([
  [53, 'DNS'],
  [67, 'DHCP'],
  [68, 'DHCP'],
  [69, 'TFTP'],
  [123, 'NTP'],
  [137, 'NetBIOS'],
  [138, 'NetBIOS'],
  [161, 'SNMP'],
  [162, 'SNMP'],
  [500, 'IKE'],
  [514, 'syslog'],
  [546, 'DHCPv6'],
  [547, 'DHCPv6'],
  [1645, 'RADIUS'],
  [1812, 'RADIUS'],
  [1813, 'RADIUS'],
  [1900, 'SSDP'],
  [2055, 'NetFlow'],
  [3478, 'STUN'],
  [3784, 'BFD'],
  [4500, 'IPsec'],
  [4739, 'IPFIX'],
  [4789, 'VXLAN'],
  [5353, 'mDNS'],
  [6081, 'Geneve'],
  [6343, 'sFlow'],
  [6831, 'Jaeger'],
  [8125, 'StatsD'],
  [8472, 'VXLAN'],
  [51820, 'WireGuard'],
]);

function reason(
  rule: RuleView,
  first: number | string,
  last: number | string,
  declared: DeclaredObjects,
): string | undefined {
  const ports = (responderPorts(rule, declared) ?? []).filter((one) => {
    return typeof first === 'string' ? one.name === first : one.port >= first && one.port <= Number(last);
  });
  if (ports.some(({ protocol }) => protocol === TCP || protocol === SCTP)) return undefined;
  const container = ports.find(({ protocol }) => protocol === UDP);
  // no-such-port reports named ports.
  if (container !== undefined && typeof first === 'number') return `a container declares ${container.port} as UDP`;
  const service = first === last && typeof first === 'number' ? wellKnownUdpPorts.get(first) : undefined;
  return service && `${service} usually uses UDP`;
}

/** If the policy also allows UDP for the port, TCP was meant. */
function hasUdp(declared: DeclaredObjects, { policy, direction }: RuleView, port: number | string): boolean {
  return declared.rules.some(
    (other) =>
      other.policy === policy &&
      other.direction === direction &&
      other.ports.some((one) => one.protocol === UDP && (one.port === undefined || includesPort(one, port))),
  );
}

function includesPort(one: { port?: number | string; endPort?: number }, port: number | string): boolean {
  if (typeof one.port !== 'number' || typeof port !== 'number') return one.port === port;
  return one.port <= port && port <= (one.endPort ?? one.port);
}

/** A ClusterNetworkPolicy has no default protocol. */
function isLeftOut(declared: DeclaredObjects, { policy }: RuleView, path: FieldPath): boolean {
  const manifest = declared.manifestFields(policy);
  if (manifest === undefined || policy.kind === 'ClusterNetworkPolicy') return false;
  if (policy.kind === 'NetworkPolicy') return manifest.value([...path, 'protocol']) === undefined;
  return ['portNumber', 'portRange'].some(
    (form) =>
      manifest.value([...path, form]) !== undefined && manifest.value([...path, form, 'protocol']) === undefined,
  );
}
