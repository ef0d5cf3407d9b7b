// What the network did with a connection, as far as its observations tell.
import type { Outcome } from '../../model/connection.ts';
import type { Joined, Observation } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import { ACK, RST, SYN } from '../../model/record.ts';

/** A side that saw an answer knows more than one that did not: established before refused before unanswered. */
export function outcomeOf(joined: Joined): Outcome {
  const sides = observationsOf(joined);
  if (sides.some((seen) => answered(joined.protocol, seen))) return 'established';
  return sides.some((seen) => refused(joined.protocol, seen)) ? 'refused' : 'unanswered';
}

export function observationsOf(joined: Joined): Observation[] {
  return [joined.source, joined.destination, joined.host].filter((seen) => seen !== undefined);
}

/** TCP: a SYN-ACK, or anything but a reset in mid-stream. Others: any packet back that is no ICMP error. */
export function answered(protocol: number, seen: Observation): boolean {
  if (seen.packets.reverse === 0) return false;
  if (protocol !== TCP) return seen.repliedTo;
  const flags = seen.tcpFlags.reverse;
  if ((flags & (SYN | ACK)) === (SYN | ACK) && flags & SYN) return true;
  return seen.midStream && (flags & ACK) !== 0 && (flags & RST) === 0;
}

function refused(protocol: number, seen: Observation): boolean {
  return seen.unreachable || (protocol === TCP && (seen.tcpFlags.reverse & RST) !== 0);
}
