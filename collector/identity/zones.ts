// Zones: named sets of CIDRs from the config, then what is local to a link; `internet` is the rest. The longest prefix
// of the config that holds an address wins.
import { type Address, type Prefix, prefixHoldsAddress } from '../../model/address.ts';
import { localZoneOf } from './local-addresses.ts';

export type Zones = (address: Address) => string;

export function zonesOf(named: Readonly<Record<string, readonly Prefix[]>>): Zones {
  const longestFirst = Object.entries(named)
    .flatMap(([name, prefixes]) => prefixes.map((prefix) => ({ name, prefix })))
    .sort((a, b) => b.prefix.bits - a.prefix.bits);
  return (address) =>
    longestFirst.find(({ prefix }) => prefixHoldsAddress(prefix, address))?.name ?? localZoneOf(address) ?? 'internet';
}
