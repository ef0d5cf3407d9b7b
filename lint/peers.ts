// The ends of rules as sets: whether those of one rule lie within those of another, or apart from them. What cannot be
// told from both rules alone is "no".
import { selects } from '../policy/selectors.ts';
import { isPrefixWithin } from './blocks.ts';
import type { Declared } from './declared.ts';
import type { PeerView, PodsMeant, RuleView } from './rule-view.ts';
import { contradiction, everyNamespace, isWithin, maySelectNamed, namesOf } from './selectors.ts';

export function podsWithin(inner: PodsMeant, outer: PodsMeant, declared: Declared): boolean {
  return areNamespacesWithin(inner, outer, declared) && isWithin(inner.podSelector, outer.podSelector);
}

/** Whether no pod can be meant by both. */
export function podsApart(one: PodsMeant, other: PodsMeant, declared: Declared): boolean {
  if (contradiction([...one.podSelector, ...other.podSelector]) !== undefined) return true;
  const names = namesMeant(one) ?? namesMeant(other);
  if (names !== undefined) return !names.some((name) => mayMean(one, name, declared) && mayMean(other, name, declared));
  return contradiction([...one.namespaceSelector, ...other.namespaceSelector]) !== undefined;
}

export function peersWithin(inner: RuleView['peers'], outer: RuleView['peers'], declared: Declared): boolean {
  if (outer === 'everyone') return true;
  // Whoever has an address: pods, nodes and all outside. An end without one yet is matched by these too.
  if (isEveryAddress(outer)) return true;
  return inner !== 'everyone' && inner.every((peer) => isPeerWithin(peer, outer, declared));
}

export function peersApart(some: RuleView['peers'], others: RuleView['peers'], declared: Declared): boolean {
  if (some === 'everyone' || others === 'everyone') return false;
  return some.every((one) => others.every((other) => isPeerApart(one, other, declared)));
}

function isEveryAddress(peers: readonly PeerView[]): boolean {
  const whole = peers
    .flatMap((peer) => (peer.is === 'addresses' ? peer.blocks : []))
    .filter(({ cidr, except }) => cidr.bits === 0 && except.length === 0);
  return [4, 16].every((bytes) => whole.some(({ cidr }) => cidr.bytes.length === bytes));
}

function isPeerWithin(inner: PeerView, outer: readonly PeerView[], declared: Declared): boolean {
  switch (inner.is) {
    case 'pods':
      return outer.some((one) => one.is === 'pods' && podsWithin(inner.pods, one.pods, declared));
    case 'nodes':
      return outer.some((one) => one.is === 'nodes' && isWithin(inner.selector, one.selector));
    case 'addresses':
      return inner.blocks.every((block) =>
        outer.some(
          (one) =>
            one.is === 'addresses' &&
            one.blocks.some(({ cidr, except }) => except.length === 0 && isPrefixWithin(block.cidr, cidr)),
        ),
      );
    case 'names':
      return inner.names.every((name) =>
        outer.some((one) => one.is === 'names' && one.names.some((pattern) => isNameWithin(name, pattern))),
      );
  }
}

/** `*.a.b` and `c.a.b` lie within `*.a.b`, but `a.b` does not (rule 24). */
function isNameWithin(inner: string, outer: string): boolean {
  return inner === outer || (outer.startsWith('*.') && inner.endsWith(outer.slice(1)) && inner.length >= outer.length);
}

/** Addresses may be anybody's. */
function isPeerApart(one: PeerView, other: PeerView, declared: Declared): boolean {
  if (one.is === 'addresses' || other.is === 'addresses') return false;
  if (one.is === 'pods' && other.is === 'pods') return podsApart(one.pods, other.pods, declared);
  return one.is === 'pods' || other.is === 'pods';
}

function areNamespacesWithin(inner: PodsMeant, outer: PodsMeant, declared: Declared): boolean {
  const names = namesMeant(inner);
  if (names !== undefined) return names.every((name) => surelyMeans(outer, name, declared));
  if (outer.namespace !== undefined) return false;
  return isWithin([...inner.namespaceSelector, ...everyNamespace], outer.namespaceSelector);
}

/** The only namespaces that may be meant, where the selector itself names them. */
export function namesMeant({ namespace, namespaceSelector }: PodsMeant): readonly string[] | undefined {
  return namespace === undefined ? namesOf(namespaceSelector) : [namespace];
}

function surelyMeans({ namespace, namespaceSelector }: PodsMeant, name: string, declared: Declared): boolean {
  if (namespace !== undefined) return namespace === name;
  const known = declared.namespaces.get(name);
  if (known !== undefined) return selects(namespaceSelector, known.labels);
  const named = { key: everyNamespace[0]!.key, operator: 'In' as const, values: [name] };
  return isWithin([named], namespaceSelector);
}

function mayMean({ namespace, namespaceSelector }: PodsMeant, name: string, declared: Declared): boolean {
  if (namespace !== undefined) return namespace === name;
  const known = declared.namespaces.get(name);
  return known === undefined ? maySelectNamed(namespaceSelector, name) : selects(namespaceSelector, known.labels);
}
