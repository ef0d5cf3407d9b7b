// Whether a peer of a rule matches the other end of the connection: by identity or by address (rules 7, 8, 9 and 13).
import { type Address, isIpv6, type Prefix, prefixContainsAddress } from '../model/address.ts';
import type { LabelSelector, PolicyPeer } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';
import type { PolicyOptions } from './options.ts';
import { type PodMatch, selects, selectsPod, selectsWithPartialLabels } from './selectors.ts';

export type PodParty = Party & { kind: 'pod' };

/**
 * `maybe`: the peer matches by address, and the address of the other end is not known. `maybe-labelled`: the peer
 * requires a label of the other end's namespace or node, and not all of those labels are known. `maybe-valued`: it requires
 * a value of a pod label whose value is not known.
 */
export type Match = 'yes' | 'no' | 'maybe' | 'maybe-labelled' | 'maybe-valued';

/** `own` is the pod that the policy isolates, so it is in the policy's namespace. No peers match everyone (rule 6). */
export function peersMatch(peers: readonly PolicyPeer[], own: PodParty, other: Party, options: PolicyOptions): Match {
  if (peers.length === 0) return 'yes';
  let found: Match = 'no';
  for (const peer of peers) {
    const match = peerMatches(peer, own, other, options);
    if (match === 'yes') return 'yes';
    if (found === 'no') found = match;
  }
  return found;
}

function peerMatches(peer: PolicyPeer, own: PodParty, other: Party, options: PolicyOptions): Match {
  if ('ipBlock' in peer) return blockMatches(peer.ipBlock.cidr, peer.ipBlock.except, own, other, options);
  if (other.kind !== 'pod') return 'no';
  const { podSelector, namespaceSelector } = peer;
  if (namespaceSelector === undefined) {
    if (other.namespace !== own.namespace) return 'no';
    return podSelector === undefined ? 'yes' : selectsPod(podSelector, other.labels);
  }
  return podsMatch(namespaceSelector, podSelector, other);
}

export function podsMatch(
  namespaceSelector: LabelSelector,
  podSelector: LabelSelector | undefined,
  pod: PodParty,
): PodMatch | 'maybe-labelled' {
  if (pod.namespaceLabelsKnown === false) {
    const match = selectsWithPartialLabels(namespaceSelector, pod.namespaceLabels);
    if (match === 'no' || podSelector === undefined) return match;
    const podMatch = selectsPod(podSelector, pod.labels);
    return podMatch === 'no' || match === 'yes' ? podMatch : match;
  }
  if (!selects(namespaceSelector, pod.namespaceLabels)) return 'no';
  return podSelector === undefined ? 'yes' : selectsPod(podSelector, pod.labels);
}

/** Rule 24: `networks` also match the addresses of pods. */
export function networkMatches(networks: readonly Prefix[], own: PodParty, other: Party): 'yes' | 'no' | 'maybe' {
  let maybe = false;
  for (const cidr of networks) {
    const match = blockMatches(cidr, noPrefixes, own, other, matchesPods);
    if (match === 'yes') return 'yes';
    if (match === 'maybe') maybe = true;
  }
  return maybe ? 'maybe' : 'no';
}

const matchesPods = { ipBlockMatchesPods: true };
const noPrefixes: readonly Prefix[] = [];

function blockMatches(
  cidr: Prefix,
  except: readonly Prefix[],
  own: PodParty,
  other: Party,
  options: Pick<PolicyOptions, 'ipBlockMatchesPods'>,
): 'yes' | 'no' | 'maybe' {
  switch (other.kind) {
    case 'address':
      return blockContains(cidr, except, other.address) ? 'yes' : 'no';
    case 'some-node':
      return unknownAddressMatches(cidr, except, own);
    case 'pod':
      if (!options.ipBlockMatchesPods) return 'no';
      if (other.addresses.length === 0) return unknownAddressMatches(cidr, except, own);
      for (const address of other.addresses) {
        if (blockContains(cidr, except, address) && canReach(own, isIpv6(address))) return 'yes';
      }
      return 'no';
  }
}

/** An end without an address yet: only a block of all addresses is certain to contain it. */
function unknownAddressMatches(cidr: Prefix, except: readonly Prefix[], own: PodParty): 'yes' | 'no' | 'maybe' {
  if (!canReach(own, cidr.bytes.length === 16)) return 'no';
  return cidr.bits === 0 && except.length === 0 ? 'yes' : 'maybe';
}

/** A connection has one family, so a pod's IPv6 address does not count for a connection to an IPv4-only pod. */
function canReach(own: PodParty, ipv6: boolean): boolean {
  if (own.addresses.length === 0) return true;
  for (const address of own.addresses) if (isIpv6(address) === ipv6) return true;
  return false;
}

function blockContains(cidr: Prefix, except: readonly Prefix[], address: Address): boolean {
  return prefixContainsAddress(cidr, address) && !except.some((one) => prefixContainsAddress(one, address));
}
