// Random policies of all kinds, with few priorities, so they often collide, and with nested blocks and ports.

import {
  faults,
  type RawClusterPeer,
  type RawClusterPolicy,
  type RawClusterRule,
  type RawNetworkPolicy,
  type RawPeer,
  type RawPolicy,
  type RawPort,
  type RawSpec,
} from './case.ts';
import type { Chance } from './chance.ts';
import { namespaces, randomLabels, randomNamespaceSelector, randomPods, randomSelector } from './random-selectors.ts';

export const ports = [80, 81, 90, 443];
export const portNames = ['web', 'other'];
const protocols = ['TCP', 'UDP', 'SCTP'];

/** Half of the sets have no broken policy. */
export function randomPolicies(chance: Chance): RawPolicy[] {
  const canBreak = chance.once(2);
  return [
    ...chance.list(0, 5, (index) => networkPolicy(chance, `p${index}`, canBreak)),
    ...chance.list(0, 4, (index) => clusterPolicy(chance, 'Admin', `c${index}`, canBreak)),
    ...chance.list(0, 3, (index) => clusterPolicy(chance, 'Baseline', `b${index}`, canBreak)),
  ];
}

function networkPolicy(chance: Chance, name: string, canBreak: boolean): RawNetworkPolicy {
  const made = { kind: 'NetworkPolicy' as const, namespace: chance.one(namespaces), name, spec: spec(chance) };
  return canBreak && chance.once(8) ? { ...made, fault: chance.one(faults) } : made;
}

function spec(chance: Chance): RawSpec {
  const made: RawSpec = {};
  if (!chance.once(6)) made.podSelector = randomSelector(chance);
  if (chance.once(2)) made.policyTypes = chance.some(['Ingress', 'Egress']);
  const rules = <Key extends string>(key: Key) =>
    chance.list(0, 2, () => ({
      ...(!chance.once(5) && { [key as 'from']: chance.list(0, 2, () => peer(chance)) }),
      ...(!chance.once(3) && { ports: chance.list(0, 2, () => port(chance)) }),
    }));
  if (!chance.once(4)) made.ingress = rules('from');
  if (!chance.once(4)) made.egress = rules('to');
  return made;
}

const blocks: { cidr: string; except?: string[] }[] = [
  { cidr: '0.0.0.0/0' },
  { cidr: '0.0.0.0/0', except: ['10.0.0.0/24'] },
  { cidr: '10.0.0.0/8', except: ['10.0.0.128/25', '10.0.1.0/24'] },
  { cidr: '10.0.0.0/25' },
  { cidr: '10.0.0.0/23' },
  { cidr: '172.16.0.0/30' },
  { cidr: '192.0.2.1/32' },
  { cidr: '::/0' },
  { cidr: '2001:db8::/32', except: ['2001:db8:1::/48'] },
  { cidr: '2001:db8::/33' },
];

function peer(chance: Chance): RawPeer {
  switch (chance.number(4)) {
    case 0:
      return { podSelector: randomSelector(chance) };
    case 1:
      return { namespaceSelector: randomNamespaceSelector(chance) };
    case 2:
      return { podSelector: randomSelector(chance), namespaceSelector: randomNamespaceSelector(chance) };
    default:
      return { ipBlock: chance.one(blocks) };
  }
}

function port(chance: Chance): RawPort {
  const protocol = chance.once(2) ? { protocol: chance.one(protocols) } : {};
  switch (chance.number(5)) {
    case 0:
      return { protocol: chance.one(protocols) };
    case 1:
      return { ...protocol, port: 80, endPort: chance.one(ports) };
    case 2:
      return { ...protocol, port: chance.one(portNames) };
    default:
      return { ...protocol, port: chance.one(ports) };
  }
}

function clusterPolicy(
  chance: Chance,
  tier: RawClusterPolicy['tier'],
  name: string,
  canBreak: boolean,
): RawClusterPolicy {
  const old = tier === 'Admin' ? ('AdminNetworkPolicy' as const) : ('BaselineAdminNetworkPolicy' as const);
  const kind = chance.once(3) ? old : ('ClusterNetworkPolicy' as const);
  const actions: RawClusterRule['action'][] =
    kind === 'BaselineAdminNetworkPolicy' ? ['Accept', 'Deny'] : ['Accept', 'Deny', 'Pass'];
  const rules = (peersOf: (action: RawClusterRule['action']) => RawClusterPeer[]) =>
    chance.list(0, 3, () => clusterRule(chance, chance.one(actions), peersOf));
  const made: RawClusterPolicy = {
    kind,
    name,
    tier,
    priority: kind === 'BaselineAdminNetworkPolicy' ? 0 : chance.number(3),
    subject: randomPods(chance),
    ingress: rules(() => chance.list(1, 2, () => ({ pods: randomPods(chance) }))),
    egress: rules((action) => chance.list(1, 2, () => egressPeer(chance, action))),
  };
  if (!canBreak || !chance.once(12)) return made;
  if (chance.once(3)) delete made.priority;
  if (chance.once(3)) delete made.subject;
  return { ...made, broken: true };
}

function clusterRule(
  chance: Chance,
  action: RawClusterRule['action'],
  peersOf: (action: RawClusterRule['action']) => RawClusterPeer[],
): RawClusterRule {
  const rule = {
    action,
    peers: peersOf(action),
    ports: chance.once(2) ? [] : chance.list(1, 2, () => clusterPort(chance)),
  };
  return chance.once(16) ? { ...rule, notUnderstood: 'spec' } : rule;
}

/** Only Accept rules have `domainNames` (rule 24). */
function egressPeer(chance: Chance, action: RawClusterRule['action']): RawClusterPeer {
  switch (chance.number(action === 'Accept' ? 5 : 4)) {
    case 0:
      return { nodes: chance.once(3) ? {} : { matchLabels: randomLabels(chance) } };
    case 1:
      return { networks: chance.list(1, 2, () => chance.one(blocks).cidr) };
    case 4:
      return { domainNames: chance.list(1, 2, () => chance.one(patterns)) };
    default:
      return { pods: randomPods(chance) };
  }
}

const patterns = ['example.com', '*.example.com', 'api.example.com', '*.b.example.com', '*.com', '*.example.org'];

/** A number needs a protocol, a name does not. */
function clusterPort(chance: Chance): RawPort {
  const made = port(chance);
  return typeof made.port === 'string' ? made : { ...made, protocol: made.protocol ?? 'TCP' };
}
