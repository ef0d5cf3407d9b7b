// The parties that a name in a question may mean, and which pairs of them have a common address family.
import { type Address, isIpv6 } from '../model/address.ts';
import type { ContainerPort } from '../model/kubernetes.ts';
import type { Party } from '../model/verdict.ts';

/**
 * `parties` is never empty. A host-network pod has one party for each address family of its node. `ports` has the container
 * ports for questions with a port name.
 */
export type Candidate = { parties: readonly Party[]; ports: readonly ContainerPort[] };

/** Marks the candidate's pods as representatives of all pods of the workload. */
export function representingWorkload({ parties, ports }: Candidate): Candidate {
  return { parties: parties.map(markPod), ports };
}

function markPod(party: Party): Party {
  return party.kind === 'pod' ? { ...party, representsWorkload: true } : party;
}

/** The first of each family. */
export function firstOfEachFamily(addresses: readonly Address[]): Address[] {
  const first = [addresses.find((one) => !isIpv6(one)), addresses.find(isIpv6)];
  return first.filter((one) => one !== undefined);
}

/** Pairs without a common address family are skipped, unless no pair has one. */
export function partyPairs(initiator: Candidate, responder: Candidate): (readonly [Party, Party])[] {
  const pairs = initiator.parties.flatMap((one) => responder.parties.map((other) => [one, other] as const));
  if (pairs.length === 1) return pairs;
  const sameFamily = pairs.filter(([one, other]) =>
    [false, true].some((ipv6) => hasFamily(one, ipv6) && hasFamily(other, ipv6)),
  );
  return sameFamily.length > 0 ? sameFamily : pairs;
}

/** A party without a known address may have either family. */
function hasFamily(party: Party, ipv6: boolean): boolean {
  if (party.kind === 'some-node') return true;
  if (party.kind === 'address') return isIpv6(party.address) === ipv6;
  return party.addresses.length === 0 || party.addresses.some((one) => isIpv6(one) === ipv6);
}
