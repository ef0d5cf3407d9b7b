// Decides to which connection a record belongs. Several connections may have the same ends, because ports and pod addresses
// are reused. The sides may also disagree on the initiator.
import type { JoinedConnection, Observation } from '../../model/joined.ts';
import type { ConnectionRecord, Tuple } from '../../model/record.ts';
import { oppositePoint, reverseRecord } from './observation.ts';
import { observationsOf } from './outcome.ts';

/** Records of one node in one batch. The offset converts their times to the collector's clock. */
export type RecordBatch = { node: string; clockOffsetUs: number; records: readonly ConnectionRecord[] };

/** Tolerance for comparing times of two nodes. */
export const clockToleranceUs = 500_000;

/**
 * Whether a record belongs to `live` rather than to `other`, which has the same ends. It belongs to the connection that
 * has earlier records of the interface, unless the other replaced it since (a new pod has the address). Otherwise it
 * belongs to the connection whose start is closer.
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

/** Whether `live` replaced `other`: it began later, and `other` has all its sides. Otherwise it may be the missing side. */
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

/** An inferred initiator is replaced by that of the previous connection between the same ends. */
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
 * True if the record's interface saw packets of both ends, and the interface at the other side saw one end only
 * (half-visible). The other side then cannot know which packet came first.
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

/** False if the record belongs to another connection with the same ends. */
export function recordMatches(live: JoinedConnection, record: ConnectionRecord, batch: RecordBatch): boolean {
  const point = hasSameInitiator(live, record) ? record.point : oppositePoint[record.point];
  const known = live[point];
  if (known !== undefined) {
    if (isSameInterface(known, record, batch)) return known.agentBeganUs === record.beganUs;
    // An interface has one pod for life, so another interface means another pod. Capture files (`host`) have no pods.
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
