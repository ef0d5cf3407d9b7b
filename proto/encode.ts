// Encodes connection records as columns. Each batch has its own address table, so it can be sent again on another
// stream. Pods are not sent: the collector knows them by interface (AgentState.interfaces).
import type { Address } from '../model/address.ts';
import { addressBytes, isIpv6 } from '../model/address.ts';
import type { ConnectionRecord, Tuple } from '../model/record.ts';
import { marks, moreMarks, observationPoints } from './marks.ts';
import type { WireRecords } from './wire.ts';

export function encodeRecords(records: readonly ConnectionRecord[]): WireRecords {
  const addresses = addressTable(records);
  const count = records.length;
  const wire: WireRecords = {
    ipv4: addresses.ipv4,
    ipv6: addresses.ipv6,
    baseUs: records[0]?.firstUs ?? 0,
    initiator: new Array(count),
    responder: new Array(count),
    initiatorPort: new Array(count),
    responderPort: new Array(count),
    protocol: new Uint8Array(count),
    marks: new Uint8Array(count),
    interfaceIndex: new Array(count),
    first: new Array(count),
    span: new Array(count),
    age: new Array(count),
    packetsForward: new Array(count),
    packetsReverse: new Array(count),
    bytesForward: new Array(count),
    bytesReverse: new Array(count),
    flagsForward: new Uint8Array(count),
    flagsReverse: new Uint8Array(count),
    synRetries: new Array(count),
    rttUs: new Array(count),
    moreSegments: [],
    translation: [],
    moreMarks: new Uint8Array(0),
    isn: [],
  };
  for (let i = 0; i < count; i++) {
    const record = records[i]!;
    wire.initiator[i] = addresses.index.get(record.initiator)!;
    wire.responder[i] = addresses.index.get(record.responder)!;
    wire.initiatorPort[i] = record.initiatorPort;
    wire.responderPort[i] = record.responderPort;
    wire.protocol[i] = record.protocol;
    wire.marks[i] = marksOf(record);
    wire.interfaceIndex[i] = record.interfaceIndex;
    wire.first[i] = record.firstUs - wire.baseUs;
    wire.span[i] = record.lastUs - record.firstUs;
    wire.age[i] = record.firstUs - record.beganUs;
    wire.packetsForward[i] = record.packets.forward;
    wire.packetsReverse[i] = record.packets.reverse;
    wire.bytesForward[i] = record.bytes.forward;
    wire.bytesReverse[i] = record.bytes.reverse;
    wire.flagsForward[i] = record.tcpFlags.forward;
    wire.flagsReverse[i] = record.tcpFlags.reverse;
    wire.synRetries[i] = record.synRetries;
    wire.rttUs[i] = record.rttUs;
    const moreSegments = record.packets.forward + record.packets.reverse - record.frames;
    if (moreSegments > 0 && wire.moreSegments.length === 0) wire.moreSegments = new Array(count).fill(0);
    if (moreSegments > 0) wire.moreSegments[i] = moreSegments;
    const more = moreMarksOf(record);
    if (more !== 0 && wire.moreMarks.length === 0) wire.moreMarks = new Uint8Array(count);
    if (more !== 0) wire.moreMarks[i] = more;
    if (record.isn !== undefined) wire.isn.push(record.isn);
    if (record.translation !== undefined) {
      pushTuple(wire.translation, record.translation.original, addresses.index);
      pushTuple(wire.translation, record.translation.translated, addresses.index);
    }
  }
  return wire;
}

function marksOf(record: ConnectionRecord): number {
  return (
    observationPoints.indexOf(record.point) |
    (record.initiatorBy === 'handshake' ? marks.handshake : 0) |
    (record.unreachable ? marks.unreachable : 0) |
    (record.ended ? marks.ended : 0) |
    (record.answered ? marks.answered : 0) |
    (record.deliveryUnproven ? marks.deliveryUnproven : 0) |
    (record.translation === undefined ? 0 : marks.translation)
  );
}

function moreMarksOf({ isn, bothSentSyn, responderFirst }: ConnectionRecord): number {
  return (
    (isn === undefined ? 0 : moreMarks.isnKnown) |
    (bothSentSyn ? moreMarks.bothSentSyn : 0) |
    (responderFirst ? moreMarks.responderFirst : 0)
  );
}

function pushTuple(into: number[], tuple: Tuple, index: ReadonlyMap<Address, number>): void {
  into.push(index.get(tuple.initiator)!, tuple.initiatorPort, index.get(tuple.responder)!, tuple.responderPort);
}

type AddressTable = { ipv4: Uint8Array; ipv6: Uint8Array; index: ReadonlyMap<Address, number> };

function addressTable(records: readonly ConnectionRecord[]): AddressTable {
  const ipv4 = new Map<Address, number>();
  const ipv6 = new Map<Address, number>();
  const add = (address: Address) => {
    const family = isIpv6(address) ? ipv6 : ipv4;
    if (!family.has(address)) family.set(address, family.size);
  };
  for (const record of records) {
    add(record.initiator);
    add(record.responder);
    if (record.translation === undefined) continue;
    for (const tuple of [record.translation.original, record.translation.translated]) {
      add(tuple.initiator);
      add(tuple.responder);
    }
  }
  const index = new Map(ipv4);
  for (const [address, at] of ipv6) index.set(address, ipv4.size + at);
  return { ipv4: packed(ipv4, 4), ipv6: packed(ipv6, 16), index };
}

function packed(addresses: ReadonlyMap<Address, number>, width: number): Uint8Array {
  const bytes = new Uint8Array(addresses.size * width);
  for (const [address, at] of addresses) bytes.set(addressBytes(address), at * width);
  return bytes;
}
