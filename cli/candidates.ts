// Who an end may be, as policies see it, and which of two ends' addresses can meet.
import { type Address, isIpv6 } from '../model/address.ts';
import type { ContainerPort } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';

/**
 * `parties` is never empty; a host-network pod is its node's addresses, one of each family, and which of them a connection
 * has is open. Port names are looked up in `ports`; a node's are those of the host-network pod.
 */
export type Candidate = { parties: readonly Party[]; ports: readonly ContainerPort[] };

/** It stands for all pods of its workload. */
export function ofWorkload(candidate: Candidate): Candidate {
  const { parties } = candidate;
  return {
    ...candidate,
    parties: parties.map((one) => (one.kind === 'pod' ? { ...one, representsWorkload: true } : one)),
  };
}

/** The first of each family. */
export function firstOfEachFamily(addresses: readonly Address[]): Address[] {
  const first = [addresses.find((one) => !isIpv6(one)), addresses.find(isIpv6)];
  return first.filter((one) => one !== undefined);
}

/** One connection has one family: pairs without one in common are left out, unless there is no other. */
export function partyPairs(initiator: Candidate, responder: Candidate): (readonly [Party, Party])[] {
  const pairs = initiator.parties.flatMap((one) => responder.parties.map((other) => [one, other] as const));
  if (pairs.length === 1) return pairs;
  const sameFamily = pairs.filter(([one, other]) =>
    [false, true].some((ipv6) => hasFamily(one, ipv6) && hasFamily(other, ipv6)),
  );
  return sameFamily.length > 0 ? sameFamily : pairs;
}

/** One whose address is not known may have any. */
function hasFamily(party: Party, ipv6: boolean): boolean {
  if (party.kind === 'some-node') return true;
  if (party.kind === 'address') return isIpv6(party.address) === ipv6;
  return party.addresses.length === 0 || party.addresses.some((one) => isIpv6(one) === ipv6);
}
