// The pod at each end of a connection. The interface that saw the connection decides, because it has one pod for life.
// Otherwise the interface with the address decides, and last the address at that time.
import type { Address } from '../../model/address.ts';
import type { JoinedConnection, Observation } from '../../model/joined.ts';
import type { ConnectionEnd } from '../identity/identity.ts';

export type ReportedInterface = {
  node: string;
  podUid: string;
  addresses: readonly Address[];
  watchedSinceUs: number;
  /** 0 while the interface exists. */
  goneUs: number;
};

/** Interfaces and their pods, from the agents. */
export type InterfaceLookup = {
  interfaceAt(node: string, interfaceIndex: number): ReportedInterface | undefined;
  interfaceOf(podUid: string, address: Address): ReportedInterface | undefined;
};

/** `podsKnown` is false while the agent of an interface may still report its pod. */
export type ConnectionEnds = { initiator: ConnectionEnd; responder: ConnectionEnd; podsKnown: boolean };

export function endsOf(joined: JoinedConnection, interfaces: InterfaceLookup): ConnectionEnds {
  const { protocol, originalTuple, translatedTuple } = joined;
  const initiator = podUidAt(joined.source, originalTuple.initiator, joined.startUs, interfaces);
  const responder = podUidAt(joined.destination, translatedTuple.responder, joined.startUs, interfaces);
  return {
    initiator: {
      address: originalTuple.initiator,
      port: originalTuple.initiatorPort,
      protocol,
      podUid: initiator ?? '',
    },
    responder: {
      address: translatedTuple.responder,
      port: translatedTuple.responderPort,
      protocol,
      podUid: responder ?? '',
    },
    podsKnown: initiator !== undefined && responder !== undefined,
  };
}

/** The pod's uid; '' if only address and time can decide; undefined if the agent has not reported the pod yet. */
function podUidAt(
  observation: Observation | undefined,
  address: Address,
  startUs: number,
  interfaces: InterfaceLookup,
): string | undefined {
  if (observation !== undefined && observation.podUid !== '') return observation.podUid;
  const link =
    observation === undefined
      ? interfaces.interfaceOf('', address)
      : interfaces.interfaceAt(observation.node, observation.interfaceIndex);
  if (link === undefined || (observation === undefined && !existedAt(link, startUs))) return '';
  if (link.podUid !== '') return link.podUid;
  return link.addresses.length > 0 ? undefined : '';
}

function existedAt(link: ReportedInterface, timeUs: number): boolean {
  return link.watchedSinceUs <= timeUs && (link.goneUs === 0 || timeUs <= link.goneUs);
}
