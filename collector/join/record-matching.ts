// Which connection a record belongs to, where several have the same ends: ports are used again, pods take addresses of
// others, and either side may know better who began.
import type { JoinedConnection, Observation } from '../../model/joined.ts';
import type { ConnectionRecord, Tuple } from '../../model/record.ts';
import { oppositePoint, reverseRecord } from './observation.ts';
import { observationsOf } from './outcome.ts';

/** Records of one node in one batch; adding the offset puts their times on the collector's clock. */
export type RecordBatch = { node: string; clockOffsetUs: number; records: readonly ConnectionRecord[] };

/** Clocks of two nodes are compared with this tolerance, never exactly. */
export const clockToleranceUs = 500_000;

/**
 * Which of two connections with the same ends a record goes on with: the one whose records came from there before, unless
 * the other took its place since (a pod that has the address now); else the one that began nearer to it.
 */
export function isBetterMatch(
  live: JoinedConnection,
  other: JoinedConnection,
  record: ConnectionRecord,
  batch: RecordBatch,
  firstUs: number,
): boolean {
  const [continuesLive, continuesOther] = [live, other].map((one) => hasEarlierRecords(one, record, batch));
  if (continuesOther && !continuesLive) return replaced(live, other, firstUs);
  if (continuesLive && !continuesOther) return !replaced(other, live, firstUs);
  return Math.abs(live.startUs - firstUs) < Math.abs(other.startUs - firstUs);
}

/** Whether `live` came after the other, to sides that the other had: else it may be the side that the other lacks. */
function replaced(live: JoinedConnection, other: JoinedConnection, firstUs: number): boolean {
  const isInPlace = observationsOf(live).every(({ point }) => other[point] !== undefined);
  return isInPlace && live.startUs > other.startUs && live.startUs <= firstUs;
}

/** Whether the connection has earlier records of the same interface. */
function hasEarlierRecords(live: JoinedConnection, record: ConnectionRecord, batch: RecordBatch): boolean {
  return observationsOf(live).some(
    (observation) => isSameInterface(observation, record, batch) && observation.agentBeganUs === record.beganUs,
  );
}

export function isSameInterface(observation: Observation, record: ConnectionRecord, batch: RecordBatch): boolean {
  return observation.node === batch.node && observation.interfaceIndex === record.interfaceIndex;
}

/** Where the initiator is inferred, the connection before it between the same ends knows better who speaks first. */
export function orientedAsPrevious(previous: JoinedConnection | undefined, record: ConnectionRecord): ConnectionRecord {
  if (previous === undefined || record.initiatorBy === 'handshake' || hasSameInitiator(previous, record)) return record;
  return reverseRecord(record);
}

/** Whether both name the same initiator. */
export function hasSameInitiator(live: JoinedConnection, record: ConnectionRecord): boolean {
  if (record.translation !== undefined) return true;
  return [live.originalTuple, live.translatedTuple].some(
    (one) => one.initiator === record.initiator && one.initiatorPort === record.initiatorPort,
  );
}

/**
 * Whether the record's interface, which names the other end as the initiator, saw packets of both ends, and the interface at
 * the other side of one end only (half-visible): that one could not tell which came first.
 */
export function knowsInitiatorBetter(live: JoinedConnection, record: ConnectionRecord): boolean {
  const other = live[record.point];
  if (record.point === 'host' || other === undefined) return false;
  const own = live[oppositePoint[record.point]];
  const sawBoth =
    record.packets.forward + (own?.packets.reverse ?? 0) > 0 &&
    record.packets.reverse + (own?.packets.forward ?? 0) > 0;
  return sawBoth && (other.packets.forward === 0 || other.packets.reverse === 0);
}

/** Whether the record is of this connection and not of another with the same ends. */
export function recordMatches(live: JoinedConnection, record: ConnectionRecord, batch: RecordBatch): boolean {
  const point = hasSameInitiator(live, record) ? record.point : oppositePoint[record.point];
  const known = live[point];
  if (known !== undefined) {
    if (isSameInterface(known, record, batch)) return known.agentBeganUs === record.beganUs;
    // An interface has one pod for life: behind another one is another pod, whatever its address. Files have no pods.
    if (record.point !== 'host') return false;
  }
  const firstUs = record.firstUs + batch.clockOffsetUs;
  const lastUs = record.lastUs + batch.clockOffsetUs;
  const allEnded = observationsOf(live).every((observation) => observation.ended);
  return lastUs >= live.startUs - clockToleranceUs && (!allEnded || firstUs <= live.lastUs + clockToleranceUs);
}

export function tupleOf(tuple: Tuple): Tuple {
  const { initiator, initiatorPort, responder, responderPort } = tuple;
  return { initiator, initiatorPort, responder, responderPort };
}
