// Counts the packets of an interval in the row of its connection (hot, once a row of the kernel: make bench-capture).
import { TCP } from '../../../model/protocol.ts';
import { ACK, FIN, RST } from '../../../model/record.ts';
import { bit, type FlowColumns } from './flow-columns.ts';
import { responderByPort } from './initiator.ts';
import type { Interval } from './interval.ts';
import { roundTrip } from './round-trip.ts';

/** `isFirstSeen`: every packet of the interface was seen for so long that the first one began the connection. */
export function beginFromInterval(rows: FlowColumns, row: number, interval: Interval, isFirstSeen: boolean): void {
  const { firstUs, firstFromLow, protocol } = interval;
  rows.beganUs[row] = rows.firstUs[row] = rows.lastUs[row] = rows.reportedUs[row] = firstUs;
  let state: number = bit.used | bit.changed;
  if (interval.podIsLow) state |= bit.podIsLow;
  if (firstFromLow) state |= bit.firstIsFromLow;
  const initiatorSeen = interval.lowInitiated || interval.highInitiated;
  const isFirst = protocol !== TCP && !interval.firstQuoted && isFirstSeen;
  if (isFirst || initiatorSeen) state |= bit.initiatorCertain;
  if (lowIsInitiator(interval, initiatorSeen, isFirst, firstFromLow)) state |= bit.initiatorIsLow;
  if (interval.hasIsnLow) state |= bit.hasIsnLow;
  if (interval.hasIsnHigh) state |= bit.hasIsnHigh;
  rows.isnLow[row] = interval.isnLow;
  rows.isnHigh[row] = interval.isnHigh;
  const isSynOfInitiator = ((state & bit.initiatorIsLow) !== 0) === interval.synsFromLow;
  if (interval.syns > 0 && isSynOfInitiator) {
    state |= bit.synSeen;
    if (interval.syns > 1) state |= bit.retried;
    rows.synRetries[row] = interval.syns - 1;
  }
  rows.state[row] = state;
}

function lowIsInitiator(interval: Interval, initiatorSeen: boolean, isFirst: boolean, firstFromLow: boolean): boolean {
  // Whoever is first began it, also with what looks like a reply.
  if (isFirst) return firstFromLow;
  if (initiatorSeen) return interval.lowInitiated;
  if (interval.firstQuoted) return !firstFromLow;
  const { lowPort, highPort } = interval;
  const responder = firstFromLow ? responderByPort(lowPort, highPort) : responderByPort(highPort, lowPort);
  return (responder !== 'source') === firstFromLow;
}

export function countInterval(rows: FlowColumns, row: number, interval: Interval): void {
  let state = rows.state[row]!;
  const { firstUs, lastUs } = interval;
  if (firstUs < rows.beganUs[row]! && (state & (bit.reported | bit.synSeen)) === 0) rows.beganUs[row] = firstUs;
  // Every record repeats the beginning that the first one states, and no packet is earlier.
  if (rows.isEmpty(row) || firstUs < rows.firstUs[row]!) rows.firstUs[row] = Math.max(firstUs, rows.beganUs[row]!);
  if (lastUs > rows.lastUs[row]!) rows.lastUs[row] = lastUs;
  rows.frames[row]! += interval.frames;
  rows.packetsFromLow[row]! += interval.packetsFromLow;
  rows.packetsFromHigh[row]! += interval.packetsFromHigh;
  rows.bytesFromLow[row]! += interval.bytesFromLow;
  rows.bytesFromHigh[row]! += interval.bytesFromHigh;
  rows.flagsFromLow[row]! |= interval.flagsFromLow;
  rows.flagsFromHigh[row]! |= interval.flagsFromHigh;
  const responderSent = (state & bit.initiatorIsLow) !== 0 ? interval.highSent : interval.lowSent;
  if (responderSent && (state & bit.answered) === 0) state |= bit.answered | bit.changed;
  if (interval.unreachable) state |= bit.unreachable | bit.changed;
  if (interval.deliveryUnproven) state |= bit.deliveryUnproven;
  if (interval.protocol === TCP) state = countTcp(rows, row, interval, state);
  rows.state[row] = state;
}

function countTcp(rows: FlowColumns, row: number, interval: Interval, before: number): number {
  let state = before;
  const initiatorIsLow = (state & bit.initiatorIsLow) !== 0;
  const initiatorSentSynAck = initiatorIsLow ? interval.lowSentSynAck : interval.highSentSynAck;
  if (interval.synackUs > 0 && !initiatorSentSynAck && rows.rttUs[row] === 0) {
    if ((state & (bit.synSeen | bit.retried)) === bit.synSeen) {
      rows.rttUs[row] = roundTrip(interval.synackUs - rows.beganUs[row]!);
    }
    state |= bit.changed;
  }
  const initiatorFlags = initiatorIsLow ? interval.flagsFromLow : interval.flagsFromHigh;
  const initiatorPackets = initiatorIsLow ? interval.packetsFromLow : interval.packetsFromHigh;
  if ((initiatorFlags & ACK) !== 0 && (!initiatorSentSynAck || initiatorPackets > 1)) state |= bit.initiatorAcked;
  if ((interval.flagsFromLow & FIN) !== 0) rows.closed[row]! |= 1;
  if ((interval.flagsFromHigh & FIN) !== 0) rows.closed[row]! |= 2;
  const hasEnded = ((interval.flagsFromLow | interval.flagsFromHigh) & RST) !== 0 || rows.closed[row] === 3;
  return hasEnded && (state & bit.ended) === 0 ? state | bit.ended | bit.changed : state;
}
