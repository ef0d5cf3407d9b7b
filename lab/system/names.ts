// The names of the lab's namespaces and links on this machine. Every namespace carries the lab's prefix and id:
// leftovers.ts finds what a crash left by them, and touches nothing else.
import { createHash } from 'node:crypto';

export type LabId = string;

export const namespacePattern = /^wblab-([0-9a-f]{6})-/;

export function fabricNamespace(id: LabId): string {
  return `wblab-${id}-fabric`;
}

export function collectorNamespace(id: LabId): string {
  return `wblab-${id}-collector`;
}

export function nodeNamespace(id: LabId, node: string): string {
  return `wblab-${id}-node.${node}`;
}

export function podNamespace(id: LabId, pod: { namespace: string; name: string }): string {
  return `wblab-${id}-pod.${pod.namespace}.${pod.name}`;
}

export function outsideNamespace(id: LabId, host: string): string {
  return `wblab-${id}-outside.${host}`;
}

/** The host side of a pod's veth pair, as a CNI would call it (interface names have at most 15 characters). */
export function podLink(pod: { namespace: string; name: string }): string {
  return `veth${createHash('sha256').update(`${pod.namespace}/${pod.name}`).digest('hex').slice(0, 8)}`;
}
