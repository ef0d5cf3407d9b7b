// Which pod is at each end of a connection: first by the interface that saw it, since an interface has one pod for life,
// then by the interface that has the address, and only then by the address and the time.
import type { Address } from '../../model/address.ts';
import type { Joined, Observation } from '../../model/joined.ts';
import type { End } from '../identity/identity.ts';

export type EndInterface = {
  node: string;
  podUid: string;
  addresses: readonly Address[];
  watchedSinceUs: number;
  /** 0 while it is there. */
  goneUs: number;
};

/** What the agents tell of interfaces and their pods. */
export type Interfaces = {
  interfaceAt(node: string, interfaceIndex: number): EndInterface | undefined;
  interfaceOf(podUid: string, address: Address): EndInterface | undefined;
};

/** `settled` is false while an interface is there whose pod its agent may still name. */
export type Ends = { initiator: End; responder: End; settled: boolean };

export function endsOf(joined: Joined, interfaces: Interfaces): Ends {
  const { protocol, asked, reached } = joined;
  const initiator = podAt(joined.source, asked.initiator, joined.startUs, interfaces);
  const responder = podAt(joined.destination, reached.responder, joined.startUs, interfaces);
  return {
    initiator: { address: asked.initiator, port: asked.initiatorPort, protocol, podUid: initiator ?? '' },
    responder: { address: reached.responder, port: reached.responderPort, protocol, podUid: responder ?? '' },
    settled: initiator !== undefined && responder !== undefined,
  };
}

/** The pod's uid, '' where only address and time can tell, undefined where its agent has not bound the interface yet. */
function podAt(
  seen: Observation | undefined,
  address: Address,
  startUs: number,
  interfaces: Interfaces,
): string | undefined {
  if (seen !== undefined && seen.podUid !== '') return seen.podUid;
  const link =
    seen === undefined ? interfaces.interfaceOf('', address) : interfaces.interfaceAt(seen.node, seen.interfaceIndex);
  if (link === undefined || (seen === undefined && !wasThere(link, startUs))) return '';
  if (link.podUid !== '') return link.podUid;
  return link.addresses.length > 0 ? undefined : '';
}

function wasThere(link: EndInterface, timeUs: number): boolean {
  return link.watchedSinceUs <= timeUs && (link.goneUs === 0 || timeUs <= link.goneUs);
}
