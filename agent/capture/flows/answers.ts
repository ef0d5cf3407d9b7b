// Whether a packet or an interval may be the answer of a connection's responder, or proves that there was one. A connection
// without an answer costs its sender one packet, so it is the first to lose its row if the table is full.
import { TCP } from '../../../model/protocol.ts';
import { ACK } from '../../../model/record.ts';
import type { Packet } from '../decode/packet.ts';
import { responderByPort } from './initiator.ts';
import type { Interval } from './interval.ts';

export function isAnswer(packet: Packet): boolean {
  if (packet.protocol === TCP) return packet.initiator !== 'source';
  if (packet.initiator !== 'unknown') return packet.initiator === 'destination';
  return packet.quoted || responderByPort(packet.sourcePort, packet.destinationPort) === 'source';
}

export function hasAnswer(interval: Interval): boolean {
  const { lowSent, highSent, protocol, flagsFromLow, flagsFromHigh } = interval;
  if (protocol === TCP) return ((flagsFromLow | flagsFromHigh) & ACK) !== 0;
  if (interval.lowInitiated) return highSent;
  if (interval.highInitiated) return lowSent;
  return (lowSent && highSent) || interval.firstQuoted || comesFromResponder(interval);
}

function comesFromResponder({ firstFromLow, lowPort, highPort }: Interval): boolean {
  return (firstFromLow ? responderByPort(lowPort, highPort) : responderByPort(highPort, lowPort)) === 'source';
}
