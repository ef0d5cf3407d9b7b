// Which connection a record belongs to, where several have the same ends: ports are used again, pods take addresses of
// others, and either side may know better who began.
import type { Joined, Observation } from '../../model/joined.ts';
import type { ConnectionRecord, Tuple } from '../../model/record.ts';
import { turnedPoint, turnedRecord } from './observation.ts';
import { observationsOf } from './outcome.ts';

/** Records of one node in one batch; adding the offset puts their times on the collector's clock. */
export type RecordBatch = { node: string; clockOffsetUs: number; records: readonly ConnectionRecord[] };

/** Clocks of two nodes are compared with this tolerance, never exactly. */
export const toleranceUs = 500_000;

/**
 * Which of two connections with the same ends a record goes on with: the one whose records came from there before, unless
 * the other took its place since (a pod that has the address now); else the one that began nearer to it.
 */
export function isNearer(
  live: Joined,
  than: Joined,
  record: ConnectionRecord,
  batch: RecordBatch,
  firstUs: number,
): boolean {
  const [isOfLive, isOfThan] = [live, than].map((one) => goesOn(one, record, batch));
  if (isOfThan && !isOfLive) return tookPlace(live, than, firstUs);
  if (isOfLive && !isOfThan) return !tookPlace(than, live, firstUs);
  return Math.abs(live.startUs - firstUs) < Math.abs(than.startUs - firstUs);
}

/** Whether `live` came after the other, to sides that the other had: else it may be the side that the other lacks. */
function tookPlace(live: Joined, than: Joined, firstUs: number): boolean {
  const isInPlace = observationsOf(live).every(({ point }) => than[point] !== undefined);
  return isInPlace && live.startUs > than.startUs && live.startUs <= firstUs;
}

/** Whether the connection has earlier records of the same interface. */
function goesOn(live: Joined, record: ConnectionRecord, batch: RecordBatch): boolean {
  return observationsOf(live).some((seen) => isThere(seen, record, batch) && seen.toldBeganUs === record.beganUs);
}

export function isThere(seen: Observation, record: ConnectionRecord, batch: RecordBatch): boolean {
  return seen.node === batch.node && seen.interfaceIndex === record.interfaceIndex;
}

/** Where the initiator is inferred, the connection before it between the same ends knows better who speaks first. */
export function asBefore(before: Joined | undefined, record: ConnectionRecord): ConnectionRecord {
  if (before === undefined || record.initiatorBy === 'handshake' || isSameWay(before, record)) return record;
  return turnedRecord(record);
}

/** Whether both name the same initiator. */
export function isSameWay(live: Joined, record: ConnectionRecord): boolean {
  if (record.translation !== undefined) return true;
  return [live.asked, live.reached].some(
    (one) => one.initiator === record.initiator && one.initiatorPort === record.initiatorPort,
  );
}

/**
 * Whether the record's interface, which names the other end as the initiator, saw packets of both ends, and the interface at
 * the other side of one end only (half-visible): that one could not tell which came first.
 */
export function sawOrder(live: Joined, record: ConnectionRecord): boolean {
  const other = live[record.point];
  if (record.point === 'host' || other === undefined) return false;
  const own = live[turnedPoint[record.point]];
  const sawBoth =
    record.packets.forward + (own?.packets.reverse ?? 0) > 0 &&
    record.packets.reverse + (own?.packets.forward ?? 0) > 0;
  return sawBoth && (other.packets.forward === 0 || other.packets.reverse === 0);
}

/** Whether the record is of this connection and not of another with the same ends. */
export function belongs(live: Joined, record: ConnectionRecord, batch: RecordBatch): boolean {
  const point = isSameWay(live, record) ? record.point : turnedPoint[record.point];
  const before = live[point];
  if (before !== undefined) {
    if (isThere(before, record, batch)) return before.toldBeganUs === record.beganUs;
    // An interface has one pod for life: behind another one is another pod, whatever its address. Files have no pods.
    if (record.point !== 'host') return false;
  }
  const firstUs = record.firstUs + batch.clockOffsetUs;
  const lastUs = record.lastUs + batch.clockOffsetUs;
  const over = observationsOf(live).every((seen) => seen.ended);
  return lastUs >= live.startUs - toleranceUs && (!over || firstUs <= live.lastUs + toleranceUs);
}

export function tupleOf(tuple: Tuple): Tuple {
  const { initiator, initiatorPort, responder, responderPort } = tuple;
  return { initiator, initiatorPort, responder, responderPort };
}
