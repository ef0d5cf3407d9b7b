// Decodes columns into connection records and checks them. A batch that contradicts itself is refused as a whole, so
// that no other code gets an incomplete record.
import { type Address, addressFromBytes } from '../model/address.ts';
import type { ConnectionRecord, Tuple } from '../model/record.ts';
import { marks, moreMarks, observationPoints } from './marks.ts';
import type { WireRecords } from './wire.ts';

export type DecodedRecords = { records: ConnectionRecord[] } | { fault: string };

const columns = [
  'initiator',
  'responder',
  'initiatorPort',
  'responderPort',
  'marks',
  'interfaceIndex',
  'first',
  'span',
  'age',
  'packetsForward',
  'packetsReverse',
  'bytesForward',
  'bytesReverse',
  'flagsForward',
  'flagsReverse',
  'synRetries',
  'rttUs',
] as const satisfies readonly (keyof WireRecords)[];

/** `podUid` stays empty; ingest sets it by interface. `fault` names the first column or record that is invalid. */
export function decodeRecords(wire: WireRecords, maxRecords: number): DecodedRecords {
  const count = wire.protocol.length;
  if (count > maxRecords) return { fault: `${count} records in one batch, more than ${maxRecords}` };
  for (const column of columns) {
    if (wire[column].length !== count)
      return { fault: `column ${column} has ${wire[column].length} values, not ${count}` };
  }
  if (wire.ipv4.length % 4 !== 0 || wire.ipv6.length % 16 !== 0)
    return { fault: 'the address table ends within an address' };
  if (wire.moreSegments.length !== 0 && wire.moreSegments.length !== count)
    return { fault: `column moreSegments has ${wire.moreSegments.length} values, not ${count}` };
  if (wire.moreMarks.length !== 0 && wire.moreMarks.length !== count)
    return { fault: `column moreMarks has ${wire.moreMarks.length} values, not ${count}` };
  const addresses = addressTable(wire);
  const records: ConnectionRecord[] = new Array(count);
  let translation = 0;
  let isns = 0;
  for (let i = 0; i < count; i++) {
    const mark = wire.marks[i]!;
    const point = observationPoints[mark & marks.point];
    const initiator = addresses[wire.initiator[i]!];
    const responder = addresses[wire.responder[i]!];
    if (point === undefined || initiator === undefined || responder === undefined)
      return { fault: `record ${i} has an unknown address or observation point` };
    let original: Tuple | undefined;
    let translated: Tuple | undefined;
    if (mark & marks.translation) {
      original = tupleAt(wire.translation, translation, addresses);
      translated = tupleAt(wire.translation, translation + 4, addresses);
      if (original === undefined || translated === undefined)
        return { fault: `record ${i} has an incomplete translation` };
      translation += 8;
    }
    const more = wire.moreMarks[i] ?? 0;
    const isn = more & moreMarks.isnKnown ? wire.isn[isns++] : undefined;
    if (more & moreMarks.isnKnown && isn === undefined) return { fault: `record ${i} lacks its value in column isn` };
    const firstUs = wire.baseUs + wire.first[i]!;
    records[i] = {
      protocol: wire.protocol[i]!,
      initiator,
      initiatorPort: wire.initiatorPort[i]!,
      responder,
      responderPort: wire.responderPort[i]!,
      point,
      interfaceIndex: wire.interfaceIndex[i]!,
      podUid: '',
      initiatorBy: mark & marks.handshake ? 'handshake' : 'inferred',
      isn,
      bothSentSyn: (more & moreMarks.bothSentSyn) !== 0,
      responderFirst: (more & moreMarks.responderFirst) !== 0,
      beganUs: firstUs - wire.age[i]!,
      firstUs,
      lastUs: firstUs + wire.span[i]!,
      packets: { forward: wire.packetsForward[i]!, reverse: wire.packetsReverse[i]! },
      frames: wire.packetsForward[i]! + wire.packetsReverse[i]! - (wire.moreSegments[i] ?? 0),
      bytes: { forward: wire.bytesForward[i]!, reverse: wire.bytesReverse[i]! },
      tcpFlags: { forward: wire.flagsForward[i]!, reverse: wire.flagsReverse[i]! },
      synRetries: wire.synRetries[i]!,
      unreachable: (mark & marks.unreachable) !== 0,
      answered: (mark & marks.answered) !== 0,
      deliveryUnproven: (mark & marks.deliveryUnproven) !== 0,
      rttUs: wire.rttUs[i]!,
      ended: (mark & marks.ended) !== 0,
      translation: original && translated ? { original, translated } : undefined,
    };
  }
  if (wire.isn.length !== isns) return { fault: `column isn has ${wire.isn.length} values, not ${isns}` };
  return { records };
}

function addressTable(wire: WireRecords): Address[] {
  const addresses: Address[] = [];
  for (let at = 0; at < wire.ipv4.length; at += 4) addresses.push(addressFromBytes(wire.ipv4.subarray(at, at + 4)));
  for (let at = 0; at < wire.ipv6.length; at += 16) addresses.push(addressFromBytes(wire.ipv6.subarray(at, at + 16)));
  return addresses;
}

function tupleAt(column: readonly number[], at: number, addresses: readonly Address[]): Tuple | undefined {
  const initiator = addresses[column[at] ?? -1];
  const responder = addresses[column[at + 2] ?? -1];
  const initiatorPort = column[at + 1];
  const responderPort = column[at + 3];
  if (
    initiator === undefined ||
    responder === undefined ||
    initiatorPort === undefined ||
    responderPort === undefined
  ) {
    return undefined;
  }
  return { initiator, initiatorPort, responder, responderPort };
}
