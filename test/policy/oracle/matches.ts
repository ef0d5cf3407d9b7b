// Whether a selector, a peer or a port matches: a literal implementation of rules 7 to 11, 16 and 23 to 25. If it is not
// known whether it matches, the result is the reason.
import type { Party } from '../../../model/verdict.ts';
import type { Question, RawClusterPeer, RawOptions, RawPeer, RawPods, RawPort, RawSelector } from './case.ts';

export type PodParty = Party & { kind: 'pod' };
export type Match =
  | boolean
  | 'address-not-known'
  | 'names-not-known'
  | 'namespace-labels-not-known'
  | 'node-labels-not-known';

/** One match is enough; otherwise the first possible match. */
export function anyOf(matches: Match[]): Match {
  return matches.includes(true) || (matches.find((match) => match !== false) ?? false);
}

export function labelsFit(selector: RawSelector, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const there = key in labels;
    if (operator === 'Exists' && !there) return false;
    if (operator === 'DoesNotExist' && there) return false;
    if (operator === 'In' && !(there && values.includes(labels[key]!))) return false;
    if (operator === 'NotIn' && there && values.includes(labels[key]!)) return false;
  }
  return true;
}

/** Whether the selector matches all known labels and requires a label that is not known. */
function asksForMore(selector: RawSelector, known: Readonly<Record<string, string>>): boolean {
  const isKnown = (key: string) => key in known;
  const labels = Object.entries(selector.matchLabels ?? {});
  const expressions = selector.matchExpressions ?? [];
  const ofKnown = {
    matchLabels: Object.fromEntries(labels.filter(([key]) => isKnown(key))),
    matchExpressions: expressions.filter(({ key }) => isKnown(key)),
  };
  const keys = [...labels.map(([key]) => key), ...expressions.map(({ key }) => key)];
  return labelsFit(ofKnown, known) && !keys.every(isKnown);
}

function namespaceFits(selector: RawSelector, { namespaceLabels, namespaceLabelsKnown }: PodParty): Match {
  if (namespaceLabelsKnown === false && asksForMore(selector, namespaceLabels)) return 'namespace-labels-not-known';
  return labelsFit(selector, namespaceLabels);
}

export function podFits(pods: RawPods, party: Party): Match {
  if (party.kind !== 'pod') return false;
  if (pods.podSelector !== undefined && !labelsFit(pods.podSelector, party.labels)) return false;
  return namespaceFits(pods.namespaceSelector, party);
}

/** Rules 7 to 9; `namespace` is the policy's. */
export function peerMatches(
  peer: RawPeer,
  own: PodParty,
  other: Party,
  namespace: string,
  { ipBlockMatchesPods }: RawOptions,
): Match {
  if (peer.ipBlock !== undefined) {
    if (other.kind === 'pod' && !ipBlockMatchesPods) return false;
    return addressIn(peer.ipBlock.cidr, peer.ipBlock.except ?? [], own, other);
  }
  if (other.kind !== 'pod') return false;
  if (peer.namespaceSelector === undefined && other.namespace !== namespace) return false;
  if (!labelsFit(peer.podSelector ?? {}, other.labels)) return false;
  return peer.namespaceSelector === undefined || namespaceFits(peer.namespaceSelector, other);
}

/** Rules 23 and 24. */
export function clusterPeerMatches(peer: RawClusterPeer, own: PodParty, other: Party): Match {
  if ('pods' in peer) return podFits(peer.pods, other);
  if ('networks' in peer) return anyOf(peer.networks.map((network) => addressIn(network, [], own, other)));
  if (other.kind === 'pod') return false;
  if ('nodes' in peer) {
    if (other.kind === 'some-node') return 'address-not-known';
    if (other.nodeLabels === undefined) return false;
    if (other.nodeLabelsKnown === false && asksForMore(peer.nodes, other.nodeLabels)) return 'node-labels-not-known';
    return labelsFit(peer.nodes, other.nodeLabels);
  }
  const { names = [], possibleNames = [], namesKnown = false } = other.kind === 'address' ? other : {};
  const fits = (some: readonly string[]) =>
    peer.domainNames.some((pattern) => some.some((name) => nameFits(name, pattern)));
  if (fits(names)) return true;
  return namesKnown && !fits(possibleNames) ? false : 'names-not-known';
}

function nameFits(name: string, pattern: string): boolean {
  if (!pattern.startsWith('*.')) return name === pattern;
  const labels = name.split('.');
  const wanted = pattern.slice(2).split('.');
  return labels.length > wanted.length && labels.slice(-wanted.length).join('.') === wanted.join('.');
}

/** Rules 10 and 11: a named port is a port of the responder, in both directions. */
export function portMatches(entry: RawPort, { protocol, port, responder }: Question): boolean {
  const numbers: Record<string, number> = { TCP: 6, UDP: 17, SCTP: 132 };
  if (!Object.values(numbers).includes(protocol)) return false;
  if (entry.protocol !== undefined && numbers[entry.protocol] !== protocol) return false;
  if (entry.port === undefined) return true;
  if (port === undefined) return false;
  if (typeof entry.port === 'number') return port >= entry.port && port <= (entry.endPort ?? entry.port);
  if (responder.kind !== 'pod') return false;
  return responder.ports.some((one) => one.name === entry.port && one.protocol === protocol && one.port === port);
}

/**
 * Whether the other end has an address in the block. A pod's address counts only if the own end has an address of its
 * family. An address that is not known is in a block of all addresses of such a family, and may be in any other block.
 */
function addressIn(block: string, except: string[], own: PodParty, other: Party): Match {
  if (other.kind === 'address') return isIn(other.address, block) && !except.some((hole) => isIn(other.address, hole));
  const reaches = (text: string) =>
    own.addresses.length === 0 || own.addresses.some((mine) => isV6(mine) === isV6(text));
  const addresses = other.kind === 'pod' ? other.addresses : [];
  if (addresses.length > 0) {
    return addresses.some((one) => reaches(one) && isIn(one, block) && !except.some((hole) => isIn(one, hole)));
  }
  if (!reaches(block)) return false;
  return (block.endsWith('/0') && except.length === 0) || 'address-not-known';
}

function isV6(text: string): boolean {
  return text.includes(':');
}

function isIn(address: string, block: string): boolean {
  const [network, bits] = block.split('/') as [string, string];
  if (isV6(address) !== isV6(network)) return false;
  const rest = BigInt((isV6(address) ? 128 : 32) - Number(bits));
  return numberOf(address) >> rest === numberOf(network) >> rest;
}

function numberOf(address: string): bigint {
  if (!isV6(address)) return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head, tail] = address.split('::') as [string, string | undefined];
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((sum, part) => sum * 65536n + BigInt(`0x${part}`), 0n);
}
