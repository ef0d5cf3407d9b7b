// One side of a connection: all records of one interface, added up. Counters are kept by their direction at the interface,
// so they stay the same if the other end turns out to be the initiator.
import type { Address } from '../../model/address.ts';
import { TCP } from '../../model/protocol.ts';
import type { ConnectionRecord, Translation } from '../../model/record.ts';

export type End = { address: Address; port: number };

/** What one end sent. */
export type Sent = {
  packets: number;
  bytes: number;
  tcpFlags: number;
  /** Packets were seen in an interval in which no later program on the interface can have dropped them. */
  proven: boolean;
  /** In some interval it sent packets, and none of them was an ICMP error. */
  replied: boolean;
};

/** The counters of some records. Times in µs on the collector's clock. */
export type Counters = {
  firstUs: number;
  lastUs: number;
  near: Sent;
  far: Sent;
  synRetries: number;
  unreachable: boolean;
  rttUs: number;
  ended: boolean;
};

/** `near` is the end behind the interface. A capture file (`atPod` false) has none: there it is the lower end. */
export type Side = {
  protocol: number;
  node: string;
  interfaceIndex: number;
  atPod: boolean;
  near: End;
  far: End;
  podUid: string;
  /** On the agent's clock. Every record of the side repeats it; with the interface and the ends it identifies the side. */
  agentBeganUs: number;
  /** On the agent's clock: the last packet. */
  agentLastUs: number;
  /** On the collector's clock. */
  beganUs: number;
  nearInitiated: boolean;
  /** Whether the far end sent the first packet that was seen here; undefined if that is not known. */
  farFirst: boolean | undefined;
  initiatorBy: 'handshake' | 'inferred';
  /** The initial sequence number of the initiator's SYN, if it was seen. */
  isn: number | undefined;
  translation: Translation | undefined;
  total: Counters;
  /** The counters of the latest records one by one, if there is more than one. */
  parts: Counters[] | undefined;
  /**
   * Whether the near address belongs to the pod behind the interface; undefined while that is not known. `on-another-node`:
   * no pod is proven behind the interface, and the address is that of another node or of a pod there.
   */
  ownsNearAddress: boolean | 'on-another-node' | undefined;
  /** Its earlier records belong to a connection that is over. */
  isRest: boolean;
  /** On the agent's clock: after a restart, the counters contain all records until then. 0: the side is not restored. */
  restoredUntilUs: number;
};

/** Parts of an older time are added up: by then, both sides have been reported. */
const maxPartAgeUs = 150_000_000;
const maxParts = 64;

export function sideOf(record: ConnectionRecord, node: string, clockOffsetUs: number): Side {
  const initiator = { address: record.initiator, port: record.initiatorPort };
  const responder = { address: record.responder, port: record.responderPort };
  const atPod = record.point !== 'host';
  const nearInitiated = atPod ? record.point === 'source' : isLower(initiator, responder);
  return {
    protocol: record.protocol,
    node,
    interfaceIndex: record.interfaceIndex,
    atPod,
    near: nearInitiated ? initiator : responder,
    far: nearInitiated ? responder : initiator,
    podUid: record.podUid,
    agentBeganUs: record.beganUs,
    agentLastUs: record.lastUs,
    beganUs: record.beganUs + clockOffsetUs,
    nearInitiated,
    farFirst: record.responderFirst ? nearInitiated : undefined,
    initiatorBy: record.initiatorBy,
    isn: record.isn,
    translation: record.translation,
    total: countersOf(record, nearInitiated, clockOffsetUs),
    parts: undefined,
    ownsNearAddress: undefined,
    isRest: false,
    restoredUntilUs: 0,
  };
}

/** Adds a record of the same side. The result does not depend on the order of the records. */
export function addToSide(side: Side, record: ConnectionRecord, clockOffsetUs: number): void {
  const isNear = isNearInitiator(side, record);
  const { ended } = side.total;
  const [atUs, latestUs] = [record.lastUs, side.agentLastUs];
  if (!isRestored(side, record)) {
    const counters = countersOf(record, isNear, clockOffsetUs);
    side.parts ??= [cloneCounters(side.total)];
    side.parts.push(counters);
    addCounters(side.total, counters);
    foldOldParts(side.parts, side.total.lastUs - maxPartAgeUs);
    side.agentLastUs = Math.max(side.agentLastUs, record.lastUs);
  }
  // A connection may go on after a reset or FIN that its ends ignore: the latest record decides.
  side.total.ended = atUs > latestUs ? record.ended : ended || (atUs === latestUs && record.ended);
  side.beganUs = Math.min(side.beganUs, record.beganUs + clockOffsetUs);
  side.podUid ||= record.podUid;
  side.isn ??= record.isn;
  side.translation ??= record.translation;
  if (record.initiatorBy === 'handshake' && side.initiatorBy === 'inferred') {
    side.initiatorBy = 'handshake';
    side.nearInitiated = isNear;
  }
}

/** The side was restored after a restart, and contains the record. */
export function isRestored({ restoredUntilUs }: Side, record: ConnectionRecord): boolean {
  return record.lastUs <= restoredUntilUs;
}

/** Forgets all counters of records that began before that time; they belong to a connection that is over. */
export function forgetBefore(side: Side, us: number): void {
  const rest = countersBetween(side, us, Number.POSITIVE_INFINITY);
  if (rest === undefined) return;
  side.parts = side.parts?.filter((part) => part.firstUs >= us);
  side.total = rest;
  side.beganUs = Math.max(side.beganUs, us);
  side.isRest = true;
}

/** The counters of the records that began in [fromUs, untilUs); undefined without such a record. */
export function countersBetween({ total, parts }: Side, fromUs: number, untilUs: number): Counters | undefined {
  if (parts === undefined) return total.firstUs >= fromUs && total.firstUs < untilUs ? total : undefined;
  let sum: Counters | undefined;
  for (const part of parts) {
    if (part.firstUs < fromUs || part.firstUs >= untilUs) continue;
    if (sum === undefined) sum = cloneCounters(part);
    else addCounters(sum, part);
  }
  return sum;
}

export function isMidStream({ protocol, initiatorBy }: Pick<Side, 'protocol' | 'initiatorBy'>): boolean {
  return protocol === TCP && initiatorBy === 'inferred';
}

export function isSameEnd(a: End, b: End): boolean {
  return a.port === b.port && a.address === b.address;
}

/** The latest counters decide `ended`: a connection may go on after an end that it ignored. */
export function addCounters(to: Counters, more: Counters): void {
  if (more.lastUs > to.lastUs) to.ended = more.ended;
  else if (more.lastUs === to.lastUs) to.ended ||= more.ended;
  to.firstUs = Math.min(to.firstUs, more.firstUs);
  to.lastUs = Math.max(to.lastUs, more.lastUs);
  addSent(to.near, more.near);
  addSent(to.far, more.far);
  to.synRetries += more.synRetries;
  to.unreachable ||= more.unreachable;
  to.rttUs = leastKnown(to.rttUs, more.rttUs);
}

export function cloneCounters(counters: Counters): Counters {
  return { ...counters, near: { ...counters.near }, far: { ...counters.far } };
}

/** Records name the initiator; its end is the near one at `source`. In a capture file the ends decide. */
function isNearInitiator(side: Side, record: ConnectionRecord): boolean {
  if (side.atPod) return record.point === 'source';
  return record.initiator === side.near.address && record.initiatorPort === side.near.port;
}

function countersOf(record: ConnectionRecord, nearInitiated: boolean, clockOffsetUs: number): Counters {
  const { packets, bytes, tcpFlags, unreachable, deliveryUnproven } = record;
  const forward: Sent = {
    packets: packets.forward,
    bytes: bytes.forward,
    tcpFlags: tcpFlags.forward,
    proven: packets.forward > 0 && !deliveryUnproven,
    replied: packets.forward > 0 && !unreachable,
  };
  const reverse: Sent = {
    packets: packets.reverse,
    bytes: bytes.reverse,
    tcpFlags: tcpFlags.reverse,
    proven: packets.reverse > 0 && !deliveryUnproven,
    // Older agents do not report `answered`: for them, a packet counts unless an ICMP error was seen.
    replied: record.answered || (packets.reverse > 0 && !unreachable),
  };
  return {
    firstUs: record.firstUs + clockOffsetUs,
    lastUs: record.lastUs + clockOffsetUs,
    near: nearInitiated ? forward : reverse,
    far: nearInitiated ? reverse : forward,
    synRetries: record.synRetries,
    unreachable,
    rttUs: record.rttUs,
    ended: record.ended,
  };
}

function addSent(to: Sent, more: Sent): void {
  to.packets += more.packets;
  to.bytes += more.bytes;
  to.tcpFlags |= more.tcpFlags;
  to.proven ||= more.proven;
  to.replied ||= more.replied;
}

/** 0 means unknown. */
function leastKnown(a: number, b: number): number {
  return a === 0 || b === 0 ? a + b : Math.min(a, b);
}

function foldOldParts(parts: Counters[], beforeUs: number): void {
  parts.sort((a, b) => a.firstUs - b.firstUs);
  while (parts.length > 1 && (parts.length > maxParts || parts[1]!.firstUs < beforeUs)) {
    const oldest = parts.shift()!;
    addCounters(parts[0]!, oldest);
  }
}

function isLower(a: End, b: End): boolean {
  if (a.address !== b.address) return a.address < b.address;
  return a.port <= b.port;
}
