// Zones: named sets of CIDRs from the config, then what is local to a link; `internet` is the rest. The longest prefix
// of the config that holds an address wins.
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
