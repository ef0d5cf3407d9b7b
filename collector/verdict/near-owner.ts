// Whether the address at a pod's interface is one of the pod behind it, as far as the claims of the agent are proven.
import { addressesSettledUs, type NearAddresses } from '../identity/near-address.ts';
import type { Side } from '../join/side.ts';
import { type InterfaceLookup, podUidBehind } from './connection-ends.ts';

/** Undefined while the pod, or its addresses, are not known. */
export function ownsNearAddress(
  side: Side,
  interfaces: InterfaceLookup,
  nearAddresses: NearAddresses,
  nowUs: number,
): Side['ownsNearAddress'] {
  const { node, near, beganUs } = side;
  const uid = podUidBehind(side, interfaces);
  if (uid !== undefined && uid !== '') {
    const owner = nearAddresses.at(uid, near.address, beganUs, nowUs);
    return owner === 'unknown' ? undefined : typeof owner === 'string';
  }
  // A pod that is not known yet may have an address that still belongs to another one.
  if (uid === undefined && nowUs < beganUs + addressesSettledUs) return undefined;
  return nearAddresses.isOnAnotherNode(node, near.address, beganUs) ? 'on-another-node' : undefined;
}
