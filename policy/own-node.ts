// Rule 12: a pod and itself, and a pod and its own node, may always reach each other.
import type { Direction, Party, SideVerdict } from '../model/verdict.ts';
import type { PodParty } from './peers.ts';

export function alwaysAllowed(side: Direction, reason: 'itself' | 'own-node'): SideVerdict {
  return { side, verdict: 'allowed', decidedBy: { tier: 'always', reason } };
}

export function isItself(own: PodParty, other: Party): boolean {
  if (other.kind !== 'pod' || own.representsWorkload || other.representsWorkload) return false;
  return own.name === other.name && own.namespace === other.namespace;
}

export function isOwnNode(own: PodParty, other: Party): boolean {
  return other.kind === 'address' && other.node !== undefined && other.node !== '' && other.node === own.node;
}

/** The denial; or `unknown` if the node of one end is not known, so the other end may be the pod's own node. */
export function unknownIfMaybeOwnNode(
  denial: SideVerdict & { verdict: 'denied' },
  own: PodParty,
  other: Party,
): SideVerdict {
  const withoutNode = partyWithoutNode(own, other);
  if (withoutNode === undefined) return denial;
  const party = `${withoutNode.namespace}/${withoutNode.name}`;
  return { side: denial.side, verdict: 'unknown', why: { reason: 'node-not-known', party } };
}

/** The end whose node is not known, if the other end may be that node. */
function partyWithoutNode(own: PodParty, other: Party): { namespace: string; name: string } | undefined {
  if (other.kind === 'some-node') return other;
  return other.kind === 'address' && other.node !== undefined && own.node === '' ? own : undefined;
}
