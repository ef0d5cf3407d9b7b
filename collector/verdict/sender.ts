// Which pod sent the packets of a connection. The interface that they left by proves it; their source address does not
// (docs/join.md, "Who sent it").
import type { Address } from '../../model/address.ts';
import type { JoinedConnection, Observation } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import { ACK, FIN, RST, SYN } from '../../model/record.ts';
import type { NearAddresses } from '../identity/near-address.ts';
import { type Coverage, interfaceBlindness } from '../join/delivered.ts';

/**
 * `owner`: the pod that has the source address, or there is no evidence of another sender. `forwarded`: a gateway sent
 * packets of somebody else. `foreign`: the pod behind the interface does not have the address. `unknown`: its addresses are
 * not known long enough. `not-seen`: the pod that has the address was watched, and did not send them; or there are only
 * answers.
 */
export type Sender =
  | { sender: 'owner' | 'forwarded' | 'unknown' | 'not-seen' }
  | { sender: 'foreign'; address: Address; of: 'pod' | 'node' | 'service' | 'nobody' };

/** `initiatorUid`: the pod that has the initiator's address, or is behind the interface that saw it; else empty. */
export function senderOf(
  joined: JoinedConnection,
  initiatorUid: string,
  nearAddresses: NearAddresses,
  coverage: Coverage,
  nowUs: number,
  maxWaitUs: number,
): Sender {
  const { source, destination } = joined;
  if (source !== undefined) {
    if (hasOnlyAnswers(joined, source)) {
      const isSeen = destination !== undefined && destination.packets.forward > source.packets.forward;
      const sees = coverage.interfaceOf(initiatorUid, source.initiator)?.seesFromPod ?? false;
      if (isSeen ? wasWatched(joined, initiatorUid, coverage, nowUs, maxWaitUs) : sees) return { sender: 'not-seen' };
    }
    const near = nearAddresses.at(initiatorUid, source.initiator, joined.startUs, nowUs);
    if (typeof near === 'string') return { sender: near === 'own' ? 'owner' : near };
    return isExempt(joined) ? { sender: 'owner' } : { sender: 'foreign', address: source.initiator, of: near.foreign };
  }
  if (destination === undefined || initiatorUid === '' || joined.initiatorSeenAtService) return { sender: 'owner' };
  return { sender: wasWatched(joined, initiatorUid, coverage, nowUs, maxWaitUs) ? 'not-seen' : 'owner' };
}

/** Packets that look like answers came to the pod, which at most refused them: by a reset, or by an ICMP error for each. */
function hasOnlyAnswers({ protocol }: JoinedConnection, source: Observation): boolean {
  const { packets, tcpFlags, hasRequest, sawResponderFirst } = source;
  if (packets.reverse === 0) return false;
  if (packets.forward === 0) return true;
  if (packets.forward > packets.reverse) return false;
  if (protocol === TCP) {
    // RFC 9293, 3.10.7.1: the answer to a segment without ACK has one.
    const refusals = sawResponderFirst ? RST | ACK : RST;
    return (tcpFlags.forward & RST) !== 0 && (tcpFlags.forward & ~refusals) === 0 && isWithoutData(source);
  }
  // Of ICMP and SCTP, what looks like a reply named the other end the initiator.
  return sawResponderFirst && (source.initiatorBy === 'handshake' || !hasRequest);
}

/** The interface of the pod that has the source address showed all its packets, and these were not among them. */
function wasWatched(
  joined: JoinedConnection,
  uid: string,
  coverage: Coverage,
  nowUs: number,
  maxWaitUs: number,
): boolean {
  const link = coverage.interfaceOf(uid, joined.translatedTuple.initiator);
  if (link === undefined || !link.seesFromPod) return false;
  const { protocol, originalTuple } = joined;
  const { responderPort } = originalTuple;
  const sought = { pod: 'initiator', wanted: 'initiator-packets', protocol, responderPort } as const;
  const blindness = interfaceBlindness(link, sought, joined, coverage, nowUs, maxWaitUs);
  // Until its agent reports that time, the packets may still turn up there.
  return blindness === undefined || (blindness === 'not-reported' && nowUs < joined.lastUs + maxWaitUs);
}

/** More packets are no lone end of a connection. */
const maxLonePackets = 10;
/** Of Ethernet, IPv6 and TCP with options: more is data, which a reset can have too (RFC 9293, 3.10.7.4). */
const maxHeaderBytes = 14 + 40 + 60;

function isWithoutData({ packets, bytes }: Observation): boolean {
  return bytes.forward <= packets.forward * maxHeaderBytes;
}

/** The end of a connection whose beginning was not seen, or nothing but ICMP errors. */
function isExempt({ protocol, source }: JoinedConnection): boolean {
  const { tcpFlags, hasReply, unreachable, packets } = source!;
  if (packets.forward > maxLonePackets) return false;
  if (protocol === TCP)
    return isWithoutData(source!) && (tcpFlags.forward & SYN) === 0 && (tcpFlags.forward & (FIN | RST)) !== 0;
  // The address of an ICMP error may be the pod's own: the record has those of the packet that it quotes.
  return unreachable && packets.forward > 0 && !hasReply && packets.reverse === 0;
}
