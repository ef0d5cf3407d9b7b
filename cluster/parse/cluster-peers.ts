// The subject of a cluster policy, and the peers of its rules (rules 23, 24).
import type { Prefix } from '../../model/address.ts';
import type { ClusterPeer, PodsSelector } from '../../model/kubernetes.ts';
import {
  badCidr,
  badDomainName,
  duplicateItem,
  emptySubject,
  missingField,
  mixedSubject,
  peerWithSeveralFields,
} from './errors.ts';
import type { Field } from './field.ts';
import { selector } from './selector.ts';
import { nonEmptyItems, prefix } from './values.ts';

export type PeerName = 'namespaces' | 'pods' | 'nodes' | 'networks' | 'domainNames';
/** `not-understood`: it has no known field, which is valid (rule 26). Undefined if it is invalid. */
export type PeerRead = ClusterPeer | 'not-understood' | undefined;

/** Limit of the CRDs for `networks` and `domainNames`. */
const maxItems = 25;

/** Undefined if it is invalid. */
export function subject(field: Field, namespaceSelectorOptional: boolean): PodsSelector | undefined {
  const before = field.faultCount;
  field.only('namespaces', 'pods');
  const namespaces = field.at('namespaces');
  const podsField = field.at('pods');
  if (!field.given) field.fault(missingField('subject'));
  else if (namespaces.given && podsField.given) field.fault(mixedSubject());
  else if (field.entries().length === 0 && field.faultCount === before) field.fault(emptySubject());
  const read = podsField.given ? pods(podsField, namespaceSelectorOptional) : ofNamespaces(namespaces);
  return field.faultCount === before ? read : undefined;
}

export function clusterPeer(field: Field, known: readonly PeerName[], namespaceSelectorOptional: boolean): PeerRead {
  const before = field.faultCount;
  const given = known.filter((name) => field.at(name).given);
  if (field.faultCount > before) return undefined;
  const [name, ...more] = given;
  if (name === undefined) return 'not-understood';
  field.only(...known);
  if (more.length > 0) field.fault(peerWithSeveralFields(given));
  const value = field.at(name);
  switch (name) {
    case 'namespaces':
      return { pods: ofNamespaces(value) };
    case 'pods':
      return { pods: pods(value, namespaceSelectorOptional) };
    case 'nodes':
      return { nodes: selector(value) };
    case 'networks':
      return { networks: distinct(value).flatMap((item) => network(item) ?? []) };
    case 'domainNames':
      return { domainNames: distinct(value).flatMap((item) => domainName(item) ?? []) };
  }
}

function ofNamespaces(field: Field): PodsSelector {
  return { namespaceSelector: selector(field) };
}

function pods(field: Field, namespaceSelectorOptional: boolean): PodsSelector {
  field.only('namespaceSelector', 'podSelector');
  const namespaces = field.at('namespaceSelector');
  const ofPods = field.at('podSelector');
  if (!namespaces.given && !namespaceSelectorOptional) namespaces.fault(missingField('namespaceSelector'));
  if (!ofPods.given) ofPods.fault(missingField('podSelector'));
  return { namespaceSelector: selector(namespaces), podSelector: selector(ofPods) };
}

/** The items of a list that must not repeat an item. */
function distinct(list: Field): Field[] {
  const seen = new Set<unknown>();
  return nonEmptyItems(list, maxItems).filter((item) => {
    const repeated = item.given && seen.has(item.value);
    if (repeated) item.fault(duplicateItem(item.value));
    seen.add(item.value);
    return !repeated;
  });
}

/** IPv4 in IPv6 notation is invalid: it is written as one family and means the other. */
function network(field: Field): Prefix | undefined {
  if (!field.given) field.fault(missingField('the CIDR block'));
  const read = prefix(field);
  if (read === undefined || read.bytes.length === 16 || !String(field.value).includes(':')) return read;
  field.fault(badCidr(String(field.value)));
  return undefined;
}

function domainName(field: Field): string | undefined {
  if (!field.given) field.fault(missingField('the name'));
  const name = field.text();
  if (name === undefined) return undefined;
  if (domainNameText.test(name)) return name.toLowerCase().replace(/\.$/, '');
  field.fault(badDomainName(name));
  return undefined;
}

/** As in the CRD: at least two labels, optionally with `*.` at the start and a dot at the end. */
const domainNameText = /^(\*\.)?([a-z0-9_]([-a-z0-9_]*[a-z0-9])?\.)+[a-z0-9_]([-a-z0-9_]*[a-z0-9])?\.?$/i;
