// The narrowest rule that would let pass what a side denies, as a manifest has it, and in words.
import type { Labels, Policy } from '../model/kubernetes.ts';
import { hasPorts, protocolName } from '../model/protocol.ts';
import type { Crossing, Direction, Party, PolicyRef, SideVerdict } from '../model/verdict.ts';

export type DeniedSide = SideVerdict & { verdict: 'denied' };

/** `rule` belongs into `policy`, in the list of the side's direction; in a cluster policy in the place `before`. */
export type NeededRule = { policy: PolicyRef; before?: number; rule: object; words: string };

/**
 * Undefined where no rule could name the other end, where the rule that denies is not understood (rule 26), and where one
 * rule would not do: two policies of one priority deny it.
 */
export function neededRule(side: DeniedSide): NeededRule | undefined {
  const { crossing, acceptBefore } = side;
  if (acceptBefore === 'nowhere') return undefined;
  const other = side.side === 'egress' ? crossing.responder : crossing.initiator;
  if ('isolatedBy' in side && acceptBefore === undefined) {
    const policy = nearestPolicy(side);
    const peer = other.kind === 'pod' ? podPeer(other, policy) : blockOf(other);
    if (peer === undefined) return undefined;
    const rule = { [peersOf[side.side]]: [peer.manifest], ...networkPolicyPorts(crossing) };
    return { policy, rule, words: `allows ${wordsOf(side.side, peer.words, crossing)}` };
  }
  if ('notUnderstood' in side && side.notUnderstood !== undefined) return undefined;
  const place = acceptBefore ?? ('decidedBy' in side ? side.decidedBy : undefined);
  if (place === undefined || place.tier === 'always') return undefined;
  const { policy, rule: before } = place;
  const peer = other.kind === 'pod' ? clusterPodPeer(other) : networkOf(other);
  if (peer === undefined) return undefined;
  const action = policy.kind === 'ClusterNetworkPolicy' ? 'Accept' : 'Allow';
  const rule = { action, [peersOf[side.side]]: [peer.manifest], ...clusterPorts(policy.kind, crossing) };
  return { policy, before, rule, words: `accepts ${wordsOf(side.side, peer.words, crossing)}` };
}

const peersOf = { egress: 'to', ingress: 'from' } as const;

/** Where the least has to be added. */
function nearestPolicy({ isolatedBy, nearest }: Extract<SideVerdict, { isolatedBy: unknown }>): PolicyRef {
  for (const wanted of ['port', 'protocol', 'peer'] as const) {
    const found = nearest.find(({ missed }) => missed === wanted);
    if (found !== undefined) return found.policy;
  }
  return isolatedBy[0]!;
}

type Peer = { manifest: object; words: string };

/** Set anew for each version or pod of a workload: a rule that names them would hold for a day. */
const passing = new Set([
  'pod-template-hash',
  'controller-revision-hash',
  'pod-template-generation',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-completion-index',
  'controller-uid',
]);

function lasting(labels: Labels): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !passing.has(key)));
}

type PodParty = Party & { kind: 'pod' };

function podPeer(pod: PodParty, policy: PolicyRef): Peer {
  const podSelector = { matchLabels: lasting(pod.labels) };
  const words = podWords(pod);
  if (pod.namespace === policy.namespace) return { manifest: { podSelector }, words };
  return { manifest: { namespaceSelector: namespaceOf(pod), podSelector }, words };
}

function clusterPodPeer(pod: PodParty): Peer {
  const podSelector = { matchLabels: lasting(pod.labels) };
  return { manifest: { pods: { namespaceSelector: namespaceOf(pod), podSelector } }, words: podWords(pod) };
}

function namespaceOf({ namespace }: PodParty): object {
  return { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
}

function podWords({ namespace, labels }: PodParty): string {
  const wanted = Object.entries(lasting(labels)).map(([key, value]) => `${key}=${value}`);
  return `${wanted.length > 0 ? `pods with ${wanted.join(' and ')}` : 'the pods'} in namespace ${namespace}`;
}

function blockOf(party: Party): Peer | undefined {
  const cidr = hostPrefix(party);
  return cidr === undefined ? undefined : { manifest: { ipBlock: { cidr } }, words: cidr };
}

function networkOf(party: Party): Peer | undefined {
  const cidr = hostPrefix(party);
  return cidr === undefined ? undefined : { manifest: { networks: [cidr] }, words: cidr };
}

function hostPrefix(party: Party): string | undefined {
  if (party.kind !== 'address') return undefined;
  return `${party.address}/${party.address.includes(':') ? 128 : 32}`;
}

function networkPolicyPorts({ protocol, port }: Crossing): object {
  return hasPorts(protocol) ? { ports: [{ protocol: protocolName(protocol), port }] } : {};
}

function clusterPorts(kind: Policy['kind'], { protocol, port }: Crossing): object {
  if (!hasPorts(protocol)) return {};
  const name = protocolName(protocol);
  if (kind !== 'ClusterNetworkPolicy') return { ports: [{ portNumber: { protocol: name, port } }] };
  return { protocols: [{ [name.toLowerCase()]: { destinationPort: { number: port } } }] };
}

function wordsOf(side: Direction, peer: string, { protocol, port }: Crossing): string {
  const asked = hasPorts(protocol) ? `on ${protocolName(protocol)} ${port}` : 'on every port and protocol';
  return `${side} ${side === 'ingress' ? 'from' : 'to'} ${peer} ${asked}`;
}
