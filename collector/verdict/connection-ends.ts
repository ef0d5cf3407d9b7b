// The pod at each end of a connection. The interface that saw the connection decides, because it has one pod for life.
// Otherwise the interface with the address decides, and last the address at that time. What an agent claims about a pod
// counts only if the pod runs on the agent's node.
import type { Address } from '../../model/address.ts';
import type { JoinedConnection, Observation } from '../../model/joined.ts';
import type { ConnectionEnd } from '../identity/identity.ts';
import { observationsOf } from '../join/outcome.ts';

export type ReportedInterface = {
  node: string;
  podUid: string;
  addresses: readonly Address[];
  watchedSinceUs: number;
  /** 0 while the interface exists. */
  goneUs: number;
};

/**
 * Interfaces and their pods, from the agents. `interfaceAt` is as claimed, `interfaceOf` is proven. A pending claim may be
 * proven when the cluster's objects arrive.
 */
export type InterfaceLookup = {
  interfaceAt(node: string, interfaceIndex: number): ReportedInterface | undefined;
  interfaceOf(podUid: string, address: Address): ReportedInterface | undefined;
  hasPendingClaim(address: Address, timeUs: number): boolean;
  judgePod(node: string, podUid: string): 'proven' | 'pending' | 'refused';
};

/** `podsKnown` is false while the agent of an interface may still report its pod. */
export type ConnectionEnds = { initiator: ConnectionEnd; responder: ConnectionEnd; podsKnown: boolean };

export function endsOf(joined: JoinedConnection, interfaces: InterfaceLookup): ConnectionEnds {
  const { protocol, originalTuple, translatedTuple } = joined;
  const initiator = podUidAt(joined.source, originalTuple.initiator, joined.startUs, interfaces);
  const responder = podUidAt(joined.destination, translatedTuple.responder, joined.startUs, interfaces);
  const observers = observersOf(joined);
  return {
    initiator: {
      address: originalTuple.initiator,
      port: originalTuple.initiatorPort,
      protocol,
      podUid: initiator ?? '',
      observers,
      ...(joined.source === undefined ? {} : { behindNode: joined.source.node }),
    },
    responder: {
      address: translatedTuple.responder,
      port: translatedTuple.responderPort,
      protocol,
      podUid: responder ?? '',
      observers,
      ...(joined.destination === undefined ? {} : { behindNode: joined.destination.node }),
    },
    podsKnown: initiator !== undefined && responder !== undefined,
  };
}

/** The nodes whose agents saw the connection. */
export function observersOf(joined: JoinedConnection): string[] {
  return observationsOf(joined).map(({ node }) => node);
}

/** The pod's uid; '' if only address and time can decide; undefined if the pod may still become known. */
function podUidAt(
  observation: Observation | undefined,
  address: Address,
  startUs: number,
  interfaces: InterfaceLookup,
): string | undefined {
  return observation === undefined
    ? podUidWithAddress(address, startUs, interfaces)
    : podUidBehind(observation, interfaces);
}

/**
 * The pod that is proven to be behind the interface; '' if there is no such proof; undefined while it may still come.
 * `podUid` is the agent's claim.
 */
export function podUidBehind(
  { node, interfaceIndex, podUid }: Pick<Observation, 'node' | 'interfaceIndex' | 'podUid'>,
  interfaces: InterfaceLookup,
): string | undefined {
  const link = interfaces.interfaceAt(node, interfaceIndex);
  const claimed = podUid !== '' ? podUid : (link?.podUid ?? '');
  if (claimed === '') return link !== undefined && link.addresses.length > 0 ? undefined : '';
  switch (interfaces.judgePod(node, claimed)) {
    case 'proven':
      return claimed;
    case 'pending':
      return undefined;
    case 'refused':
      return '';
  }
}

function podUidWithAddress(address: Address, startUs: number, interfaces: InterfaceLookup): string | undefined {
  const link = interfaces.interfaceOf('', address);
  if (link === undefined || !existedAt(link, startUs))
    return interfaces.hasPendingClaim(address, startUs) ? undefined : '';
  return link.podUid !== '' ? link.podUid : undefined;
}

function existedAt(link: ReportedInterface, timeUs: number): boolean {
  return link.watchedSinceUs <= timeUs && (link.goneUs === 0 || timeUs <= link.goneUs);
}
