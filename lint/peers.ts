// Compares the pods and peers of two rules as sets: whether one is within the other, or both are disjoint. The answer is
// "no" unless the two rules alone prove it.

import {
  contradictoryKey,
  everyNamespace,
  isWithin,
  maySelectNamespace,
  selectedNamespaceNames,
} from '../policy/selector-sets.ts';
import { selects } from '../policy/selectors.ts';
import { isPrefixWithin } from './blocks.ts';
import type { DeclaredObjects } from './declared-objects.ts';
import type { PeerView, PodScope, RuleView } from './rule-view.ts';

export function arePodsWithin(inner: PodScope, outer: PodScope, declared: DeclaredObjects): boolean {
  return areNamespacesWithin(inner, outer, declared) && isWithin(inner.podSelector, outer.podSelector);
}

/** Whether no pod can match both. */
export function arePodsDisjoint(one: PodScope, other: PodScope, declared: DeclaredObjects): boolean {
  if (contradictoryKey([...one.podSelector, ...other.podSelector]) !== undefined) return true;
  const names = namespaceNames(one) ?? namespaceNames(other);
  if (names !== undefined)
    return !names.some((name) => mayInclude(one, name, declared) && mayInclude(other, name, declared));
  return contradictoryKey([...one.namespaceSelector, ...other.namespaceSelector]) !== undefined;
}

export function arePeersWithin(inner: RuleView['peers'], outer: RuleView['peers'], declared: DeclaredObjects): boolean {
  if (outer === 'everyone') return true;
  // Everyone has an address: pods, nodes and external addresses. These blocks also match an end without an address yet.
  if (isEveryAddress(outer)) return true;
  return inner !== 'everyone' && inner.every((peer) => isPeerWithin(peer, outer, declared));
}

export function arePeersDisjoint(
  some: RuleView['peers'],
  others: RuleView['peers'],
  declared: DeclaredObjects,
): boolean {
  if (some === 'everyone' || others === 'everyone') return false;
  return some.every((one) => others.every((other) => isPeerDisjoint(one, other, declared)));
}

function isEveryAddress(peers: readonly PeerView[]): boolean {
  const whole = peers
    .flatMap((peer) => (peer.kind === 'addresses' ? peer.blocks : []))
    .filter(({ cidr, except }) => cidr.bits === 0 && except.length === 0);
  return [4, 16].every((bytes) => whole.some(({ cidr }) => cidr.bytes.length === bytes));
}

function isPeerWithin(inner: PeerView, outer: readonly PeerView[], declared: DeclaredObjects): boolean {
  switch (inner.kind) {
    case 'pods':
      return outer.some((one) => one.kind === 'pods' && arePodsWithin(inner.pods, one.pods, declared));
    case 'nodes':
      return outer.some((one) => one.kind === 'nodes' && isWithin(inner.selector, one.selector));
    case 'addresses':
      return inner.blocks.every((block) =>
        outer.some(
          (one) =>
            one.kind === 'addresses' &&
            one.blocks.some(({ cidr, except }) => except.length === 0 && isPrefixWithin(block.cidr, cidr)),
        ),
      );
    case 'names':
      return inner.names.every((name) =>
        outer.some((one) => one.kind === 'names' && one.names.some((pattern) => isNameWithin(name, pattern))),
      );
  }
}

/** `*.a.b` and `c.a.b` are within `*.a.b`, but `a.b` is not (rule 24). */
function isNameWithin(inner: string, outer: string): boolean {
  return inner === outer || (outer.startsWith('*.') && inner.endsWith(outer.slice(1)) && inner.length >= outer.length);
}

/** An address may belong to any pod or node, so addresses are never disjoint from another peer. */
function isPeerDisjoint(one: PeerView, other: PeerView, declared: DeclaredObjects): boolean {
  if (one.kind === 'addresses' || other.kind === 'addresses') return false;
  if (one.kind === 'pods' && other.kind === 'pods') return arePodsDisjoint(one.pods, other.pods, declared);
  return one.kind === 'pods' || other.kind === 'pods';
}

function areNamespacesWithin(inner: PodScope, outer: PodScope, declared: DeclaredObjects): boolean {
  const names = namespaceNames(inner);
  if (names !== undefined) return names.every((name) => surelyIncludes(outer, name, declared));
  if (outer.namespace !== undefined) return false;
  return isWithin([...inner.namespaceSelector, ...everyNamespace], outer.namespaceSelector);
}

/** The names of the only namespaces that can match; undefined if the selector does not name them. */
export function namespaceNames({ namespace, namespaceSelector }: PodScope): readonly string[] | undefined {
  return namespace === undefined ? selectedNamespaceNames(namespaceSelector) : [namespace];
}

function surelyIncludes({ namespace, namespaceSelector }: PodScope, name: string, declared: DeclaredObjects): boolean {
  if (namespace !== undefined) return namespace === name;
  const declaredNamespace = declared.namespaces.get(name);
  if (declaredNamespace !== undefined) return selects(namespaceSelector, declaredNamespace.labels);
  const byName = { key: everyNamespace[0]!.key, operator: 'In' as const, values: [name] };
  return isWithin([byName], namespaceSelector);
}

function mayInclude({ namespace, namespaceSelector }: PodScope, name: string, declared: DeclaredObjects): boolean {
  if (namespace !== undefined) return namespace === name;
  const declaredNamespace = declared.namespaces.get(name);
  return declaredNamespace === undefined
    ? maySelectNamespace(namespaceSelector, name)
    : selects(namespaceSelector, declaredNamespace.labels);
}
