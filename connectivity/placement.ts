// A pod and its own node may always reach each other (rule 12): of a pod and a node it matters where the pod runs.
import type { Party } from '../model/verdict.ts';
import type { Standing } from './places.ts';

/** `unplaced`: nobody knows on which node the pod runs; `any`: it does not matter. */
export type Placement = 'same-node' | 'cross-node' | 'unplaced' | 'any';

export const placements: readonly Placement[] = ['any', 'same-node', 'cross-node', 'unplaced'];

/** Those that there are between the members of two places. */
export function placementsOf(one: Standing, other: Standing): Placement[] {
  const [pod, host] = one.of.party.kind === 'pod' ? [one, other] : [other, one];
  if (pod.of.party.kind !== 'pod' || host.of.party.kind !== 'address' || host.nodes.size === 0) return ['any'];
  const found: Placement[] = [];
  const placed = [...pod.nodes].filter((node) => node !== '');
  if (placed.some((node) => host.nodes.has(node))) found.push('same-node');
  if (placed.some((node) => host.nodes.size > 1 || !host.nodes.has(node))) found.push('cross-node');
  if (placed.length < pod.nodes.size) found.push('unplaced');
  return found;
}

/** The two as they are judged in that placement, whether or not any member is in it. */
export function placed(one: Party, other: Party, placement: Placement): [Party, Party] {
  if (placement === 'any') return [one, other];
  if (one.kind === 'pod' && other.kind === 'address') return [at(one, other, placement), other];
  if (other.kind === 'pod' && one.kind === 'address') return [one, at(other, one, placement)];
  return [one, other];
}

function at(pod: Party & { kind: 'pod' }, { node = '' }: Party & { kind: 'address' }, placement: Placement): Party {
  if (placement === 'unplaced') return { ...pod, node: '' };
  return { ...pod, node: placement === 'same-node' ? node : `another than ${node}` };
}
