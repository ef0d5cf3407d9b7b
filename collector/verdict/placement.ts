// Where a connection runs: within a node, between nodes, out of the cluster, into it, or from and to a node itself.
import type { Endpoint, Placement } from '../../model/endpoint.ts';

/**
 * A node that begins a connection, and a pod that speaks with its own node, are `host`. An end inside the cluster whose
 * node is not known counts as another node's: the crossing is what users ask about.
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
