// The outcome of a connection, from its observations.
import type { Outcome } from '../../model/connection.ts';
import type { JoinedConnection, Observation } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import { ACK, PSH, RST, SYN, URG } from '../../model/record.ts';

/** An answer that one side saw is enough: established before refused before unanswered. */
export function outcomeOf(joined: JoinedConnection): Outcome {
  const observations = observationsOf(joined);
  if (observations.some((observation) => isAnswered(joined.protocol, observation))) return 'established';
  return observations.some((observation) => isRefused(joined.protocol, observation)) ? 'refused' : 'unanswered';
}

export function observationsOf(joined: JoinedConnection): Observation[] {
  return [joined.source, joined.destination, joined.host].filter((observation) => observation !== undefined);
}

/** The initiator acknowledged an answer that its interface did not show: the interface shows no packets to its pod. */
export function withUnseenAnswer(joined: JoinedConnection): JoinedConnection {
  const { source, protocol } = joined;
  if (protocol !== TCP || source === undefined || source.packets.reverse > 0) return joined;
  const { forward } = source.tcpFlags;
  // A reset may refuse what nobody asked for.
  const acknowledges = (forward & ACK) !== 0 && ((forward & RST) === 0 || source.packets.forward > 2);
  return acknowledges ? { ...joined, source: { ...source, acknowledgedUnseen: true } } : joined;
}

/** TCP: a SYN-ACK, or mid-stream an ACK without a reset, or without flags something that is no refusal from both ends. Others: any packet of the responder that is not an ICMP error. */
export function isAnswered(protocol: number, observation: Observation): boolean {
  if (observation.packets.reverse === 0) return observation.acknowledgedUnseen === true;
  if (protocol !== TCP) return observation.hasReply;
  const { forward, reverse: flags } = observation.tcpFlags;
  if ((flags & (SYN | ACK)) === (SYN | ACK)) return true;
  if (observation.midStream && isNoRefusal(forward) && isNoRefusal(flags) && (flags & (SYN | RST)) === 0) return true;
  // A reset may end what was established before: then it is not the only packet.
  return observation.midStream && (flags & ACK) !== 0 && ((flags & RST) === 0 || observation.packets.reverse > 1);
}

/** Of packets whose flags a short snap length cuts (agent/capture/decode/transport.ts). */
function isNoRefusal(flags: number): boolean {
  return (flags & (PSH | URG)) === (PSH | URG);
}

function isRefused(protocol: number, observation: Observation): boolean {
  return observation.unreachable || (protocol === TCP && (observation.tcpFlags.reverse & RST) !== 0);
}
