// The DNS names that the pod at one end of a connection was given for the address at the other end.
import type { Address } from '../../model/address.ts';
import type { Observation } from '../../model/joined.ts';
import { type Asker, clientKey, type GivenNames, interfaceKey, noNames } from '../identity/dns-names.ts';
import type { NamesOf } from '../identity/identity.ts';

export type NameLookup = { given(asker: Asker, address: Address, timeUs: number): GivenNames };

/** The end that may have asked. `observation` is the one at its interface, or of a file. */
export type AskingEnd = { observation: Observation | undefined; address: Address; podUid: string };

/** `startUs`: names count if they were valid when the connection began; it may outlive them. */
export function namesGivenTo(
  { observation, address: own, podUid }: AskingEnd,
  lookup: NameLookup,
  startUs: number,
): NamesOf {
  if (observation === undefined) return () => noNames;
  const { point, node, interfaceIndex } = observation;
  // Nobody knows which queries were not captured.
  if (point === 'host') {
    return (address) => ({
      ...lookup.given({ key: clientKey(own), podUid: '' }, address, startUs),
      gap: 'capture-file',
    });
  }
  const asker = { key: interfaceKey(node, interfaceIndex), podUid };
  return (address) => lookup.given(asker, address, startUs);
}
