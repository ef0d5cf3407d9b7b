// A place of the topology, as users write it (`shop/web`, `node a`), and its addresses.
import { type Address, isIpv6, type Prefix, parseAddress, parsePrefix } from '../../model/address.ts';
import type { LabCluster, PortSpec } from './cluster.ts';

export type Family = 'ipv4' | 'ipv6';

/** `shop/web`, `service shop/web`, `node a`, `outside bank`, `203.0.113.7`, `203.0.113.0/24`, `any`. */
export type Place =
  | { kind: 'pod'; namespace: string; name: string }
  | { kind: 'service'; namespace: string; name: string }
  | { kind: 'node'; name: string }
  | { kind: 'outside'; name: string }
  | { kind: 'address'; address: Address }
  | { kind: 'prefix'; prefix: Prefix }
  | { kind: 'any' };

export type OutsideHost = { name: string; addresses: readonly Address[]; listen: readonly PortSpec[] };

export type World = { cluster: LabCluster; outside: readonly OutsideHost[] };

const dnsName = '[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?';
const podPattern = new RegExp(`^(${dnsName})/(${dnsName})$`);
const wordPattern = new RegExp(`^(service|node|outside) (?:(${dnsName})/)?(${dnsName})$`);

/** Undefined if the text is not a place. */
export function parsePlace(text: string): Place | undefined {
  if (text === 'any') return { kind: 'any' };
  const address = parseAddress(text);
  if (address !== undefined) return { kind: 'address', address };
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return { kind: 'prefix', prefix };
  const pod = podPattern.exec(text);
  if (pod !== null) return { kind: 'pod', namespace: pod[1]!, name: pod[2]! };
  const word = wordPattern.exec(text);
  if (word === null) return undefined;
  const [, kind, namespace, name] = word;
  if (kind === 'service') return namespace === undefined ? undefined : { kind, namespace, name: name! };
  if (namespace !== undefined) return undefined;
  return { kind: kind as 'node' | 'outside', name: name! };
}

export function placeText(place: Place): string {
  switch (place.kind) {
    case 'pod':
      return `${place.namespace}/${place.name}`;
    case 'service':
      return `service ${place.namespace}/${place.name}`;
    case 'node':
    case 'outside':
      return `${place.kind} ${place.name}`;
    case 'address':
      return place.address;
    case 'prefix':
      return place.prefix.text;
    case 'any':
      return 'any';
  }
}

/** Undefined if nothing has that name. For a Service, its cluster addresses. */
export function addressesOf(place: Place, world: World): readonly Address[] | undefined {
  switch (place.kind) {
    case 'pod':
      return world.cluster.pods.find((pod) => pod.namespace === place.namespace && pod.name === place.name)?.addresses;
    case 'service':
      return world.cluster.services.find((one) => one.namespace === place.namespace && one.name === place.name)
        ?.clusterAddresses;
    case 'node':
      return world.cluster.nodes.find((node) => node.name === place.name)?.addresses;
    case 'outside':
      return world.outside.find((host) => host.name === place.name)?.addresses;
    case 'address':
      return [place.address];
    case 'prefix':
    case 'any':
      return [];
  }
}

export function familyOf(address: Address): Family {
  return isIpv6(address) ? 'ipv6' : 'ipv4';
}
