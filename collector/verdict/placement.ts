// The placement of a connection (docs/glossary.md).
import type { Endpoint, Placement } from '../../model/endpoint.ts';

/**
 * `host`: a node is the initiator, or a pod connects to its own node. `unplaced`: the node of an end inside the cluster is
 * not known. `responderNode`: the node of all endpoints that a Service may have chosen from.
 */
export function placementOf(initiator: Endpoint, responder: Endpoint, responderNode = responder.node): Placement {
  if (responder.kind === 'external') return isNode(initiator) ? 'host' : 'egress';
  if (initiator.kind === 'external') return isNode(responder) ? 'host' : 'ingress';
  if (isNode(initiator)) return 'host';
  if (initiator.node === undefined || responderNode === undefined) return 'unplaced';
  const sameNode = initiator.node === responderNode;
  if (isNode(responder)) return sameNode ? 'host' : 'cross-node';
  return sameNode ? 'same-node' : 'cross-node';
}

function isNode(endpoint: Endpoint): boolean {
  return endpoint.kind === 'node' || endpoint.kind === 'host';
}
