// The narrowest rule that would allow a connection that a side denies: as in a manifest, and in words.
import type { Labels } from '../model/kubernetes.ts';
import { isWhole } from '../model/label-value.ts';
import { hasPorts, protocolName } from '../model/protocol.ts';
import type { Direction, Flow, Party, PolicyRef, SideVerdict } from '../model/verdict.ts';
import type { PodParty } from './peers.ts';

export type DeniedSide = SideVerdict & { verdict: 'denied' };

/** `rule` belongs in the side's list of `policy`: before the rule `insertBefore`, or at any position if that is undefined. */
export type NeededRule = { policy: PolicyRef; insertBefore?: number; rule: object; text: string };

/**
 * Undefined if no rule can name the other end, if the denying rule is not understood (rule 26), or if one rule is not
 * enough because two policies of the same priority deny the connection.
 */
export function neededRule(side: DeniedSide): NeededRule | undefined {
  const { flow, insertBefore: insertBeforeRule } = side;
  if (insertBeforeRule === 'nowhere') return undefined;
  const other = side.side === 'egress' ? flow.responder : flow.initiator;
  if ('isolatedBy' in side && insertBeforeRule === undefined) {
    const policy = nearestPolicy(side);
    const peer = other.kind === 'pod' ? podPeer(other, policy) : ipBlockPeer(other);
    if (peer === undefined) return undefined;
    const rule = { [peersField[side.side]]: [peer.manifest], ...networkPolicyPorts(flow) };
    return { policy, rule, text: `allows ${trafficText(side.side, peer.text, flow)}` };
  }
  if ('notUnderstood' in side && side.notUnderstood !== undefined) return undefined;
  const decidingRule = insertBeforeRule ?? ('decidedBy' in side ? side.decidedBy : undefined);
  if (decidingRule === undefined || decidingRule.tier === 'always') return undefined;
  const { policy, rule: insertBefore } = decidingRule;
  const peer = other.kind === 'pod' ? clusterPodPeer(other) : networkPeer(other);
  if (peer === undefined) return undefined;
  const action = policy.kind === 'ClusterNetworkPolicy' ? 'Accept' : 'Allow';
  const rule = { action, [peersField[side.side]]: [peer.manifest], ...clusterPorts(policy.kind, flow) };
  return { policy, insertBefore, rule, text: `accepts ${trafficText(side.side, peer.text, flow)}` };
}

const peersField = { egress: 'to', ingress: 'from' } as const;

/** The policy whose rule came nearest to a match. */
function nearestPolicy({ isolatedBy, nearest }: Extract<SideVerdict, { isolatedBy: unknown }>): PolicyRef {
  for (const mismatch of ['port', 'protocol', 'peer'] as const) {
    const found = nearest.find(({ mismatch: missedPart }) => missedPart === mismatch);
    if (found !== undefined) return found.policy;
  }
  return isolatedBy[0]!;
}

type Peer = { manifest: object; text: string };

/** Labels that change with each version or pod of a workload: a rule that names them would soon match nothing. */
const ephemeralLabels = new Set([
  'pod-template-hash',
  'rollouts-pod-template-hash',
  'apps.kruise.io/cloneset-instance-id',
  'controller-revision-hash',
  'pod-template-generation',
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-completion-index',
  'controller-uid',
]);

/** A value that is not known cannot be written in a rule. */
function stableLabels(labels: Labels): Record<string, string> {
  const isStable = ([key, value]: [string, string]) => !ephemeralLabels.has(key) && isWhole(value);
  return Object.fromEntries(Object.entries(labels).filter(isStable));
}

function podPeer(pod: PodParty, policy: PolicyRef): Peer {
  const podSelector = { matchLabels: stableLabels(pod.labels) };
  const text = podText(pod);
  if (pod.namespace === policy.namespace) return { manifest: { podSelector }, text };
  return { manifest: { namespaceSelector: namespaceOf(pod), podSelector }, text };
}

function clusterPodPeer(pod: PodParty): Peer {
  const podSelector = { matchLabels: stableLabels(pod.labels) };
  return { manifest: { pods: { namespaceSelector: namespaceOf(pod), podSelector } }, text: podText(pod) };
}

function namespaceOf({ namespace }: PodParty): object {
  return { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
}

function podText({ namespace, labels }: PodParty): string {
  const labelTexts = Object.entries(stableLabels(labels)).map(([key, value]) => `${key}=${value}`);
  return `${labelTexts.length > 0 ? `pods with ${labelTexts.join(' and ')}` : 'the pods'} in namespace ${namespace}`;
}

function ipBlockPeer(party: Party): Peer | undefined {
  const cidr = hostPrefix(party);
  return cidr === undefined ? undefined : { manifest: { ipBlock: { cidr } }, text: cidr };
}

function networkPeer(party: Party): Peer | undefined {
  const cidr = hostPrefix(party);
  return cidr === undefined ? undefined : { manifest: { networks: [cidr] }, text: cidr };
}

function hostPrefix(party: Party): string | undefined {
  if (party.kind !== 'address') return undefined;
  return `${party.address}/${party.address.includes(':') ? 128 : 32}`;
}

function networkPolicyPorts({ protocol, port }: Flow): object {
  return hasPorts(protocol) ? { ports: [{ protocol: protocolName(protocol), port }] } : {};
}

function clusterPorts(kind: PolicyRef['kind'], { protocol, port }: Flow): object {
  if (!hasPorts(protocol)) return {};
  const name = protocolName(protocol);
  if (kind !== 'ClusterNetworkPolicy') return { ports: [{ portNumber: { protocol: name, port } }] };
  return { protocols: [{ [name.toLowerCase()]: { destinationPort: { number: port } } }] };
}

function trafficText(side: Direction, peer: string, { protocol, port }: Flow): string {
  const portText = hasPorts(protocol) ? `on ${protocolName(protocol)} ${port}` : 'on every port and protocol';
  return `${side} ${side === 'ingress' ? 'from' : 'to'} ${peer} ${portText}`;
}
