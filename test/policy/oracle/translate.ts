// Converts the policies of a case for the real engine: the parser reads NetworkPolicies, and cluster policies are mapped.
import { parsePrefix } from '../../../model/address.ts';
import type {
  ClusterPeer,
  ClusterPolicy,
  ClusterPort,
  ClusterRule,
  LabelSelector,
  PodsSelector,
  Policy,
  Requirement,
} from '../../../model/kubernetes.ts';
import { parseProtocol } from '../../../model/protocol.ts';
import { policy as networkPolicy } from '../../scene/cluster.ts';
import type {
  RawClusterPeer,
  RawClusterPolicy,
  RawClusterRule,
  RawNetworkPolicy,
  RawPods,
  RawPolicy,
  RawPort,
  RawSelector,
} from './case.ts';

export function translated(raw: RawPolicy): Policy {
  return raw.kind === 'NetworkPolicy'
    ? networkPolicy(`${raw.namespace}/${raw.name}`, withFault(raw))
    : clusterPolicy(raw);
}

/** The manifest with the error of `fault`. */
function withFault({ spec, fault }: RawNetworkPolicy): object {
  const withRule = (rule: object) => ({ ...spec, ingress: [...(spec.ingress ?? []), rule] });
  switch (fault) {
    case undefined:
      return spec;
    case 'cidr':
      return withRule({ from: [{ ipBlock: { cidr: '10.0.0.0/99' } }] });
    case 'except':
      return withRule({ from: [{ ipBlock: { cidr: '10.0.0.0/24', except: ['10.0.0.0/8'] } }] });
    case 'endPort':
      return withRule({ ports: [{ endPort: 90 }] });
    case 'podSelector':
      return { ...spec, podSelector: { matchExpressions: [{ key: 'app', operator: 'Near', values: ['x'] }] } };
    case 'policyTypes':
      return { ...spec, policyTypes: ['Sideways'] };
  }
}

function clusterPolicy(raw: RawClusterPolicy): ClusterPolicy {
  const { kind, name, tier, priority } = raw;
  const common = { kind, name, namespace: '', uid: `uid-${name}`, createdUs: 0, tier };
  const selected = raw.subject && podsSelector(raw.subject);
  if (raw.broken) {
    const directions = (['ingress', 'egress'] as const).filter((side) => raw[side].length > 0);
    const broken = [{ code: 'bad-cidr', place: `${kind} ${name}`, fault: 'it cannot be read', fix: 'none' }];
    const known = { ...(priority !== undefined && { priority }), ...(selected && { subject: selected }) };
    return { ...common, ...known, broken, directions };
  }
  if (priority === undefined || selected === undefined)
    throw new Error(`${kind} ${name} has no priority or subject, but is not broken`);
  const rules = { ingress: raw.ingress.map(clusterRule), egress: raw.egress.map(clusterRule) };
  return { ...common, priority, subject: selected, ...rules };
}

function clusterRule({ action, peers, ports, notUnderstood }: RawClusterRule): ClusterRule {
  const read = { name: '', action, peers: peers.map(clusterPeer), ports: ports.map(clusterPort) };
  return notUnderstood === undefined ? read : { ...read, notUnderstood };
}

function clusterPeer(raw: RawClusterPeer): ClusterPeer {
  if ('pods' in raw) return { pods: podsSelector(raw.pods) };
  if ('nodes' in raw) return { nodes: labelSelector(raw.nodes) };
  if ('networks' in raw) return { networks: raw.networks.map((text) => parsePrefix(text)!) };
  return raw;
}

function clusterPort({ protocol, port, endPort }: RawPort): ClusterPort {
  return {
    ...(protocol !== undefined && { protocol: parseProtocol(protocol)! }),
    ...(port !== undefined && { port }),
    ...(endPort !== undefined && { endPort }),
  };
}

function podsSelector({ namespaceSelector, podSelector }: RawPods): PodsSelector {
  const namespaces = { namespaceSelector: labelSelector(namespaceSelector) };
  return podSelector === undefined ? namespaces : { ...namespaces, podSelector: labelSelector(podSelector) };
}

function labelSelector({ matchLabels = {}, matchExpressions = [] }: RawSelector): LabelSelector {
  const equal = Object.entries(matchLabels).map(([key, value]) => ({ key, operator: 'In' as const, values: [value] }));
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => ({
    key,
    operator: operator as Requirement['operator'],
    values,
  }));
  return [...equal, ...expressions];
}
