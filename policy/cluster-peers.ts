// Whether a peer of a rule of the Admin or Baseline tier is the other end of the connection (rules 23 and 24).
import type { ClusterPeer, PodsSelector } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import { type Match, networkMatches, type PodParty } from './peers.ts';
import { selects } from './selectors.ts';

/** `maybe-named`: no DNS answer was seen that gives the address a name. */
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
  if ('pods' in peer) return podsMatch(peer.pods, other);
  if ('networks' in peer) return networkMatches(peer.networks, own, other);
  switch (other.kind) {
    case 'pod':
      return 'no';
    case 'some-node':
      return 'nodes' in peer ? 'maybe' : 'maybe-named';
    case 'address':
      if ('nodes' in peer)
        return other.nodeLabels !== undefined && selects(peer.nodes, other.nodeLabels) ? 'yes' : 'no';
      return namesMatch(peer.domainNames, other.names);
  }
}

function podsMatch({ namespaceSelector, podSelector }: PodsSelector, other: Party): 'yes' | 'no' {
  if (other.kind !== 'pod' || !selects(namespaceSelector, other.namespaceLabels)) return 'no';
  return podSelector === undefined || selects(podSelector, other.labels) ? 'yes' : 'no';
}

function namesMatch(patterns: readonly string[], names: readonly string[] | undefined): ClusterMatch {
  if (names === undefined || names.length === 0) return 'maybe-named';
  for (const pattern of patterns) for (const name of names) if (nameMatches(pattern, name)) return 'yes';
  return 'no';
}

/** `*.` stands for one or more whole labels (rule 24). */
function nameMatches(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === name;
  return name.length > pattern.length - 1 && name.endsWith(pattern.slice(1));
}
