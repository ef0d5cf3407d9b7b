// A pod and its own node may always reach each other (rule 12), so for a pod and a node the pod's node matters.
import type { Party } from '../model/verdict.ts';
import type { GroupState } from './endpoint-groups.ts';

/** `unplaced`: the node of the pod is not known. `any`: the node does not matter. */
export type PairPlacement = 'same-node' | 'cross-node' | 'unplaced' | 'any';

export const pairPlacements: readonly PairPlacement[] = ['any', 'same-node', 'cross-node', 'unplaced'];

/** The placements that occur between the members of two groups. */
export function placementsOf(one: GroupState, other: GroupState): PairPlacement[] {
  const [pod, host] = one.partyClass.party.kind === 'pod' ? [one, other] : [other, one];
  if (pod.partyClass.party.kind !== 'pod' || host.partyClass.party.kind !== 'address' || host.nodes.size === 0)
    return ['any'];
  const occurring: PairPlacement[] = [];
  const knownNodes = [...pod.nodes].filter((node) => node !== '');
  if (knownNodes.some((node) => host.nodes.has(node))) occurring.push('same-node');
  if (knownNodes.some((node) => host.nodes.size > 1 || !host.nodes.has(node))) occurring.push('cross-node');
  if (knownNodes.length < pod.nodes.size) occurring.push('unplaced');
  return occurring;
}

/** Both parties, with the pod's node changed to match the placement. */
export function withPlacement(one: Party, other: Party, placement: PairPlacement): [Party, Party] {
  if (placement === 'any') return [one, other];
  if (one.kind === 'pod' && other.kind === 'address') return [podWithPlacement(one, other, placement), other];
  if (other.kind === 'pod' && one.kind === 'address') return [one, podWithPlacement(other, one, placement)];
  return [one, other];
}

function podWithPlacement(
  pod: Party & { kind: 'pod' },
  { node = '' }: Party & { kind: 'address' },
  placement: PairPlacement,
): Party {
  if (placement === 'unplaced') return { ...pod, node: '' };
  return { ...pod, node: placement === 'same-node' ? node : `another than ${node}` };
}
