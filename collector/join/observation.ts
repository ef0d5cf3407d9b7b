// One side of a connection: all records of one interface, added up. A side that inferred the wrong initiator is reversed.

import type { Observation } from '../../model/joined.ts';
import { TCP } from '../../model/protocol.ts';
import type { ConnectionRecord, ObservationPoint, PerDirection, Tuple } from '../../model/record.ts';

/** `clockOffsetUs` converts the times of the record to the collector's clock. */
export function observationOf(record: ConnectionRecord, node: string, clockOffsetUs: number): Observation {
  return {
    initiator: record.initiator,
    initiatorPort: record.initiatorPort,
    responder: record.responder,
    responderPort: record.responderPort,
    point: record.point,
    node,
    interfaceIndex: record.interfaceIndex,
    podUid: record.podUid,
    initiatorBy: record.initiatorBy,
    midStream: record.protocol === TCP && record.initiatorBy === 'inferred',
    beganUs: record.beganUs + clockOffsetUs,
    agentBeganUs: record.beganUs,
    lastUs: record.lastUs + clockOffsetUs,
    packets: { ...record.packets },
    bytes: { ...record.bytes },
    tcpFlags: { ...record.tcpFlags },
    synRetries: record.synRetries,
    unreachable: record.unreachable,
    arrived: arrived(record),
    hasReply: hasReply(record),
    rttUs: record.rttUs,
    ended: record.ended,
  };
}

/** Adds a later record of the same interface. */
export function addRecord(to: Observation, record: ConnectionRecord, clockOffsetUs: number): void {
  to.packets.forward += record.packets.forward;
  to.packets.reverse += record.packets.reverse;
  to.bytes.forward += record.bytes.forward;
  to.bytes.reverse += record.bytes.reverse;
  to.tcpFlags.forward |= record.tcpFlags.forward;
  to.tcpFlags.reverse |= record.tcpFlags.reverse;
  to.lastUs = Math.max(to.lastUs, record.lastUs + clockOffsetUs);
  to.synRetries += record.synRetries;
  to.unreachable ||= record.unreachable;
  to.arrived ||= arrived(record);
  to.hasReply ||= hasReply(record);
  to.rttUs ||= record.rttUs;
  to.podUid ||= record.podUid;
  to.ended = record.ended;
}

function arrived({ packets, deliveryUnproven: unproven }: ConnectionRecord): boolean {
  return packets.forward > 0 && !unproven;
}

/** Older agents do not report `answered`: for them, a packet of the responder counts unless an ICMP error was seen. */
function hasReply({ answered, packets, unreachable }: ConnectionRecord): boolean {
  return answered || (packets.reverse > 0 && !unreachable);
}

/** The same record with initiator and responder exchanged, for a side that inferred the wrong initiator. */
export function reverseRecord(record: ConnectionRecord): ConnectionRecord {
  return {
    ...record,
    ...reverseTuple(record),
    point: oppositePoint[record.point],
    answered: record.packets.forward > 0 && !record.unreachable,
    packets: reverseBoth(record.packets),
    bytes: reverseBoth(record.bytes),
    tcpFlags: reverseBoth(record.tcpFlags),
    translation: record.translation && {
      original: reverseTuple(record.translation.original),
      translated: reverseTuple(record.translation.translated),
    },
  };
}

export function reverseObservation(observation: Observation): Observation {
  return {
    ...observation,
    ...reverseTuple(observation),
    point: oppositePoint[observation.point],
    packets: reverseBoth(observation.packets),
    bytes: reverseBoth(observation.bytes),
    tcpFlags: reverseBoth(observation.tcpFlags),
    hasReply: observation.packets.forward > 0 && !observation.unreachable,
    arrived: observation.packets.reverse > 0,
  };
}

export function reverseTuple(tuple: Tuple): Tuple {
  return {
    initiator: tuple.responder,
    initiatorPort: tuple.responderPort,
    responder: tuple.initiator,
    responderPort: tuple.initiatorPort,
  };
}

export const oppositePoint: Record<ObservationPoint, ObservationPoint> = {
  source: 'destination',
  destination: 'source',
  host: 'host',
};

function reverseBoth<Value>(both: PerDirection<Value>): PerDirection<Value> {
  return { forward: both.reverse, reverse: both.forward };
}
