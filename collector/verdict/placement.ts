// The placement of a connection (docs/glossary.md).
import type { Endpoint, Placement } from '../../model/endpoint.ts';

/**
 * `host`: a node is the initiator, or a pod connects to its own node. An end inside the cluster whose node is not known
 * counts as on another node, so that it is not missed.
 */
export function placementOf(initiator: Endpoint, responder: Endpoint): Placement {
  if (responder.kind === 'external') return isNode(initiator) ? 'host' : 'egress';
  if (initiator.kind === 'external') return isNode(responder) ? 'host' : 'ingress';
  if (isNode(initiator)) return 'host';
  const sameNode = initiator.node !== undefined && initiator.node === responder.node;
  if (isNode(responder)) return sameNode ? 'host' : 'cross-node';
  return sameNode ? 'same-node' : 'cross-node';
}

function isNode(endpoint: Endpoint): boolean {
  return endpoint.kind === 'node' || endpoint.kind === 'host';
}
