// Which pod is at each end of a connection: first by the interface that saw it, since an interface has one pod for life,
// then by the interface that has the address, and only then by the address and the time.
import type { Address } from '../../model/address.ts';
import type { JoinedConnection, Observation } from '../../model/joined.ts';
import type { ConnectionEnd } from '../identity/identity.ts';

export type PodInterface = {
  node: string;
  podUid: string;
  addresses: readonly Address[];
  watchedSinceUs: number;
  /** 0 while it is there. */
  goneUs: number;
};

/** What the agents tell of interfaces and their pods. */
export type InterfaceLookup = {
  interfaceAt(node: string, interfaceIndex: number): PodInterface | undefined;
  interfaceOf(podUid: string, address: Address): PodInterface | undefined;
};

/** `settled` is false while an interface is there whose pod its agent may still name. */
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

/** The pod's uid, '' where only address and time can tell, undefined where its agent has not bound the interface yet. */
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

function existedAt(link: PodInterface, timeUs: number): boolean {
  return link.watchedSinceUs <= timeUs && (link.goneUs === 0 || timeUs <= link.goneUs);
}
