// Whom a rule's peers mean: pods by their identity, or anyone by address (rules 6 to 9, 13).
import { type Address, addressBytes, type Prefix, prefixHolds } from '../model/address.ts';
import type { PolicyPeer } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import type { PolicyOptions } from './options.ts';
import { selectorText, selects } from './selectors.ts';

/** `maybe`: the peer is an ipBlock, and the address of the pod is not known. */
export type Match = 'yes' | 'no' | 'maybe';

/** Whether one of `peers` means `party`; none at all means everyone. `namespace` is the policy's. */
export function peersMatch(
  peers: readonly PolicyPeer[],
  party: Party,
  namespace: string,
  options: PolicyOptions,
): Match {
  if (peers.length === 0) return 'yes';
  let best: Match = 'no';
  for (const peer of peers) {
    const match = peerMatches(peer, party, namespace, options);
    if (match === 'yes') return 'yes';
    if (match === 'maybe') best = 'maybe';
  }
  return best;
}

function peerMatches(peer: PolicyPeer, party: Party, namespace: string, options: PolicyOptions): Match {
  if ('ipBlock' in peer) return blockMatches(peer.ipBlock, party, options);
  if (party.kind !== 'pod') return 'no';
  if (peer.namespaceSelector === undefined) {
    if (party.namespace !== namespace) return 'no';
  } else if (!selects(peer.namespaceSelector, party.namespaceLabels)) return 'no';
  return selects(peer.podSelector ?? [], party.labels) ? 'yes' : 'no';
}

function blockMatches(block: { cidr: Prefix; except: readonly Prefix[] }, party: Party, options: PolicyOptions): Match {
  if (party.kind === 'address') return blockHolds(block, party.address) ? 'yes' : 'no';
  if (!options.ipBlockMatchesPods) return 'no';
  if (party.addresses.length === 0) return 'maybe';
  for (const address of party.addresses) if (blockHolds(block, address)) return 'yes';
  return 'no';
}

function blockHolds({ cidr, except }: { cidr: Prefix; except: readonly Prefix[] }, address: Address): boolean {
  const bytes = addressBytes(address);
  if (!prefixHolds(cidr, bytes)) return false;
  for (const hole of except) if (prefixHolds(hole, bytes)) return false;
  return true;
}

/** In words, for the part of a rule that did not match. */
export function peersText(peers: readonly PolicyPeer[], namespace: string): string {
  return peers.map((peer) => peerText(peer, namespace)).join(' or ');
}

function peerText(peer: PolicyPeer, namespace: string): string {
  if ('ipBlock' in peer) {
    const { cidr, except } = peer.ipBlock;
    const holes = except.length === 0 ? '' : ` except ${except.map((hole) => hole.text).join(', ')}`;
    return `an address in ${cidr.text}${holes}`;
  }
  const pods = selectorText(peer.podSelector ?? []);
  const where =
    peer.namespaceSelector === undefined
      ? `namespace ${namespace}`
      : peer.namespaceSelector.length === 0
        ? 'any namespace'
        : `namespaces with ${selectorText(peer.namespaceSelector)}`;
  return pods === 'all' ? `any pod in ${where}` : `pods with ${pods} in ${where}`;
}
