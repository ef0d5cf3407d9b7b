// How far a connection is that asks for a row. A connection that nobody has answered costs its sender one packet, so it is
// the first to lose its row if the table is full. A SYN and its SYN-ACK cost a sender nothing more.
import { TCP } from '../../../model/protocol.ts';
import { ACK } from '../../../model/record.ts';
import type { Packet } from '../decode/packet.ts';
import { responderByPort } from './initiator.ts';
import type { Interval } from './interval.ts';

export const newcomers = ['unanswered', 'half-open', 'answered'] as const;
export type Newcomer = (typeof newcomers)[number];

/** The first packet that is seen of a connection. */
export function newcomerOfPacket(packet: Packet): Newcomer {
  if (packet.initiator === 'source') return 'unanswered';
  if (packet.protocol === TCP) return packet.initiator === 'destination' ? 'half-open' : 'answered';
  const isAnswer =
    packet.initiator === 'destination' ||
    packet.quoted ||
    responderByPort(packet.sourcePort, packet.destinationPort) === 'source';
  return isAnswer ? 'answered' : 'unanswered';
}

/** The first interval of a connection. */
export function newcomerOfInterval(interval: Interval): Newcomer {
  const { lowSent, highSent, lowInitiated, highInitiated } = interval;
  if (interval.protocol === TCP) return tcpNewcomer(interval);
  if (lowInitiated || highInitiated) return (lowInitiated ? highSent : lowSent) ? 'answered' : 'unanswered';
  return (lowSent && highSent) || interval.firstQuoted || comesFromResponder(interval) ? 'answered' : 'unanswered';
}

function tcpNewcomer({ flagsFromLow, flagsFromHigh, lowInitiated, highInitiated }: Interval): Newcomer {
  if (((flagsFromLow | flagsFromHigh) & ACK) === 0) return 'unanswered';
  if (!lowInitiated && !highInitiated) return 'answered';
  return ((lowInitiated ? flagsFromLow : flagsFromHigh) & ACK) !== 0 ? 'answered' : 'half-open';
}

function comesFromResponder({ firstFromLow, lowPort, highPort }: Interval): boolean {
  return (firstFromLow ? responderByPort(lowPort, highPort) : responderByPort(highPort, lowPort)) === 'source';
}
