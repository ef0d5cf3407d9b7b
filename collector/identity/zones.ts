// The zone of an external address: the longest matching prefix of the config, else a zone for loopback, link-local or multicast
// addresses, else `internet`.
import { type Address, type Prefix, prefixContainsAddress } from '../../model/address.ts';
import { localZoneOf } from './local-addresses.ts';

export type FindZone = (address: Address) => string;

export function zoneFinder(zones: Readonly<Record<string, readonly Prefix[]>>): FindZone {
  const longestFirst = Object.entries(zones)
    .flatMap(([name, prefixes]) => prefixes.map((prefix) => ({ name, prefix })))
    .sort((a, b) => b.prefix.bits - a.prefix.bits);
  return (address) =>
    longestFirst.find(({ prefix }) => prefixContainsAddress(prefix, address))?.name ??
    localZoneOf(address) ??
    'internet';
}
