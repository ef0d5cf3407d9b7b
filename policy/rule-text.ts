// The peers and ports of a rule as text, in full.
import type { ClusterPeer, ClusterPort, LabelSelector, PolicyPeer } from '../model/kubernetes.ts';
import { protocolName } from '../model/protocol.ts';
import { wholeSelectorText } from './selector-text.ts';

/** `namespace` is that of the policy: a peer with only a `podSelector` means its pods. */
export function peersText(peers: readonly (PolicyPeer | ClusterPeer)[], namespace: string): string {
  return peers.length === 0 ? 'everyone' : peers.map((peer) => peerText(peer, namespace)).join(' or ');
}

export function portsText(ports: readonly ClusterPort[]): string {
  return ports.length === 0 ? 'every port' : ports.map(portText).join(', ');
}

function peerText(peer: PolicyPeer | ClusterPeer, namespace: string): string {
  if ('ipBlock' in peer) {
    const { cidr, except } = peer.ipBlock;
    return `${cidr.text}${except.length > 0 ? ` except ${except.map(({ text }) => text).join(', ')}` : ''}`;
  }
  if ('networks' in peer) return peer.networks.map(({ text }) => text).join(', ');
  if ('domainNames' in peer) return peer.domainNames.join(', ');
  if ('nodes' in peer) return peer.nodes.length === 0 ? 'nodes' : `nodes with ${wholeSelectorText(peer.nodes)}`;
  const { namespaceSelector, podSelector = [] } = 'pods' in peer ? peer.pods : peer;
  const pods = podSelector.length === 0 ? 'pods' : `pods with ${wholeSelectorText(podSelector)}`;
  return `${pods} in ${namespacesText(namespaceSelector, namespace)}`;
}

function namespacesText(selector: LabelSelector | undefined, namespace: string): string {
  if (selector === undefined) return `namespace ${namespace}`;
  return selector.length === 0 ? 'any namespace' : `namespaces with ${wholeSelectorText(selector)}`;
}

function portText({ protocol, port, endPort }: ClusterPort): string {
  const name = protocol === undefined ? '' : `${protocolName(protocol)} `;
  if (port === undefined) return `every ${name}port`;
  if (typeof port === 'string') return `${name}port named ${port}`;
  return endPort === undefined || endPort === port ? `${name}${port}` : `${name}${port}-${endPort}`;
}
