// Whether a peer of an Admin or Baseline rule matches the other end of the connection (rules 23 and 24).
import type { ClusterPeer, LabelSelector } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import { type Match, networkMatches, type PodParty, podsMatch } from './peers.ts';
import { selects, selectsWithPartialLabels } from './selectors.ts';

/** `maybe-named`: the peer has domain names, and it is not known whether the address has one of them. */
export type ClusterMatch = Match | 'maybe-named';

export function clusterPeersMatch(peers: readonly ClusterPeer[], own: PodParty, other: Party): ClusterMatch {
  let found: ClusterMatch = 'no';
  for (const peer of peers) {
    const match = clusterPeerMatches(peer, own, other);
    if (match === 'yes') return 'yes';
    if (found === 'no') found = match;
  }
  return found;
}

function clusterPeerMatches(peer: ClusterPeer, own: PodParty, other: Party): ClusterMatch {
  if ('pods' in peer) {
    return other.kind === 'pod' ? podsMatch(peer.pods.namespaceSelector, peer.pods.podSelector, other) : 'no';
  }
  if ('networks' in peer) return networkMatches(peer.networks, own, other);
  switch (other.kind) {
    case 'pod':
      return 'no';
    case 'some-node':
      return 'nodes' in peer ? 'maybe' : 'maybe-named';
    case 'address':
      if ('nodes' in peer) return nodeMatches(peer.nodes, other);
      return namesMatch(peer.domainNames, other);
  }
}

function nodeMatches(selector: LabelSelector, node: Party & { kind: 'address' }): ClusterMatch {
  const { nodeLabels, nodeLabelsKnown } = node;
  if (nodeLabels === undefined) return 'no';
  if (nodeLabelsKnown === false) return selectsWithPartialLabels(selector, nodeLabels);
  return selects(selector, nodeLabels) ? 'yes' : 'no';
}

function namesMatch(patterns: readonly string[], other: Party & { kind: 'address' }): ClusterMatch {
  const { names = [], possibleNames = [], namesKnown } = other;
  if (anyMatches(patterns, names)) return 'yes';
  return namesKnown && !anyMatches(patterns, possibleNames) ? 'no' : 'maybe-named';
}

function anyMatches(patterns: readonly string[], names: readonly string[]): boolean {
  for (const pattern of patterns) for (const name of names) if (nameMatches(pattern, name)) return true;
  return false;
}

/** `*.` matches one or more whole labels (rule 24). */
function nameMatches(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === name;
  return name.length > pattern.length - 1 && name.endsWith(pattern.slice(1));
}
