// One form for the rules of both kinds of policy, with the path of the field of each part.
import type { FieldPath } from '../model/field-path.ts';
import type {
  ClusterAction,
  ClusterPeer,
  ClusterPolicy,
  ClusterPort,
  LabelSelector,
  NetworkPolicy,
  PodsSelector,
  Policy,
  PolicyPeer,
  UndefinedPorts,
} from '../model/kubernetes.ts';
import type { Direction, Tier } from '../model/verdict.ts';
import type { Block } from './blocks.ts';

export type ValidPolicy = (NetworkPolicy | ClusterPolicy) & { broken?: undefined };

/** If `namespace` is set, only that namespace matches, and `namespaceSelector` is empty. */
export type PodScope = { namespace?: string; namespaceSelector: LabelSelector; podSelector: LabelSelector };

export type PeerView = { path: FieldPath } & (
  | { kind: 'pods'; pods: PodScope; selectors: readonly SelectorView[] }
  | { kind: 'addresses'; blocks: readonly (Block & { path: FieldPath })[] }
  | { kind: 'nodes'; selector: LabelSelector }
  | { kind: 'names'; names: readonly string[] }
);

export type SelectorView = { target: 'pods' | 'namespaces'; selector: LabelSelector; path: FieldPath };

export type RuleView = {
  policy: ValidPolicy;
  tier: Tier;
  /** 0 for a NetworkPolicy, which has no priority. */
  priority: number;
  direction: Direction;
  index: number;
  path: FieldPath;
  subject: PodScope;
  action: ClusterAction;
  peers: readonly PeerView[] | 'everyone';
  ports: readonly (ClusterPort & { path: FieldPath })[];
  /** If set, `peers` and `ports` have only the parts of a known form (rule 26). */
  notUnderstood?: string;
  /** If set, it may match by other ports too, and empty `ports` match nothing (rule 27). */
  undefinedPorts?: readonly UndefinedPorts[];
};

export function isValid(policy: Policy): policy is ValidPolicy {
  return policy.broken === undefined;
}

/** Egress rules first, each direction in its order. */
export function rulesOf(policy: ValidPolicy): RuleView[] {
  return (['egress', 'ingress'] as const).flatMap((direction) =>
    policy.kind === 'NetworkPolicy' ? networkRules(policy, direction) : clusterRules(policy, direction),
  );
}

/** The pods that the policy selects, and its selectors for them. */
export function subjectOf(policy: ValidPolicy): { pods: PodScope; selectors: readonly SelectorView[] } {
  if (policy.kind !== 'NetworkPolicy') return podsView(policy.subject, ['spec', 'subject']);
  const { namespace, podSelector } = policy;
  const selectors = [{ target: 'pods' as const, selector: podSelector, path: ['spec', 'podSelector'] }];
  return { pods: { namespace, namespaceSelector: [], podSelector }, selectors };
}

function networkRules(policy: ValidPolicy & { kind: 'NetworkPolicy' }, direction: Direction): RuleView[] {
  const { pods: subject } = subjectOf(policy);
  return (policy[direction] ?? []).map(({ peers, ports }, index) => {
    const path = ['spec', direction, index];
    const inPeers = [...path, peersName(direction)];
    return {
      ...{ policy, tier: 'NetworkPolicy', priority: 0, direction, index, path, subject, action: 'Accept' },
      peers: peers.length === 0 ? 'everyone' : peers.map((peer, at) => networkPeer(peer, policy, [...inPeers, at])),
      ports: ports.map((port, at) => ({ ...port, path: [...path, 'ports', at] })),
    };
  });
}

function networkPeer(peer: PolicyPeer, { namespace }: ValidPolicy, path: FieldPath): PeerView {
  if ('ipBlock' in peer) return { kind: 'addresses', blocks: [{ ...peer.ipBlock, path: [...path, 'ipBlock'] }], path };
  const { podSelector, namespaceSelector } = peer;
  const selectors: SelectorView[] = [];
  if (namespaceSelector !== undefined) {
    selectors.push({ target: 'namespaces', selector: namespaceSelector, path: [...path, 'namespaceSelector'] });
  }
  if (podSelector !== undefined) {
    selectors.push({ target: 'pods', selector: podSelector, path: [...path, 'podSelector'] });
  }
  const pods = { namespaceSelector: namespaceSelector ?? [], podSelector: podSelector ?? [] };
  return { kind: 'pods', pods: namespaceSelector === undefined ? { ...pods, namespace } : pods, selectors, path };
}

function clusterRules(policy: ValidPolicy & ClusterPolicy, direction: Direction): RuleView[] {
  const { tier, priority } = policy;
  const { pods: subject } = subjectOf(policy);
  const portsName = policy.kind === 'ClusterNetworkPolicy' ? 'protocols' : 'ports';
  return policy[direction].map(({ action, peers, ports, notUnderstood, undefinedPorts }, index) => {
    const path = ['spec', direction, index];
    const inPeers = [...path, peersName(direction)];
    return {
      ...{ policy, tier, priority, direction, index, path, subject, action },
      peers: peers.map((peer, at) => clusterPeer(peer, [...inPeers, at])),
      // Among undefined ports, the place of a defined one in the list is not known.
      ports: ports.map((port, at) => ({
        ...port,
        path: undefinedPorts === undefined ? [...path, portsName, at] : [...path, portsName],
      })),
      ...(notUnderstood !== undefined && { notUnderstood }),
      ...(undefinedPorts !== undefined && { undefinedPorts }),
    };
  });
}

function clusterPeer(peer: ClusterPeer, path: FieldPath): PeerView {
  if ('pods' in peer) return { kind: 'pods', ...podsView(peer.pods, path), path };
  if ('nodes' in peer) return { kind: 'nodes', selector: peer.nodes, path };
  if ('domainNames' in peer) return { kind: 'names', names: peer.domainNames, path };
  const blocks = peer.networks.map((cidr, at) => ({ cidr, except: [], path: [...path, 'networks', at] }));
  return { kind: 'addresses', blocks, path };
}

function podsView({ namespaceSelector, podSelector }: PodsSelector, path: FieldPath) {
  const pods: PodScope = { namespaceSelector, podSelector: podSelector ?? [] };
  const selectors: SelectorView[] =
    podSelector === undefined
      ? [{ target: 'namespaces', selector: namespaceSelector, path: [...path, 'namespaces'] }]
      : [
          { target: 'namespaces', selector: namespaceSelector, path: [...path, 'pods', 'namespaceSelector'] },
          { target: 'pods', selector: podSelector, path: [...path, 'pods', 'podSelector'] },
        ];
  return { pods, selectors };
}

function peersName(direction: Direction): 'to' | 'from' {
  return direction === 'egress' ? 'to' : 'from';
}
