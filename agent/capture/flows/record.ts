// Makes the record of one connection and interval from its columns.
import type { ConnectionRecord } from '../../../model/record.ts';
import { addressText } from './address-text.ts';
import { bit, type FlowColumns, keyStride, protocolInKey } from './flow-columns.ts';

/** hot, once a record: make bench-capture, budget drain */
export function recordOf(rows: FlowColumns, row: number): ConnectionRecord {
  const { key } = rows;
  const at = row * keyStride;
  const state = rows.state[row]!;
  const [low, high] = [addressText(key, at), addressText(key, at + 4)];
  const ports = key[at + 8]!;
  const [lowPort, highPort] = [ports >>> 16, ports & 0xffff];
  const lowIsInitiator = (state & bit.initiatorIsLow) !== 0;
  return {
    initiator: lowIsInitiator ? low : high,
    initiatorPort: lowIsInitiator ? lowPort : highPort,
    responder: lowIsInitiator ? high : low,
    responderPort: lowIsInitiator ? highPort : lowPort,
    protocol: key[at + 9]! & protocolInKey,
    point: pointOf(state),
    interfaceIndex: key[at + 10]!,
    podUid: '',
    initiatorBy: (state & bit.initiatorCertain) !== 0 ? 'handshake' : 'inferred',
    isn: isnOf(rows, row, lowIsInitiator),
    bothSentSyn: (state & bit.bothSentSyn) !== 0,
    responderFirst: ((state & bit.firstIsFromLow) !== 0) !== ((state & bit.initiatorIsLow) !== 0),
    beganUs: rows.beganUs[row]!,
    firstUs: rows.isEmpty(row) ? rows.lastUs[row]! : rows.firstUs[row]!,
    lastUs: rows.lastUs[row]!,
    packets: perDirection(lowIsInitiator, rows.packetsFromLow[row]!, rows.packetsFromHigh[row]!),
    frames: rows.frames[row]!,
    bytes: perDirection(lowIsInitiator, rows.bytesFromLow[row]!, rows.bytesFromHigh[row]!),
    tcpFlags: perDirection(lowIsInitiator, rows.flagsFromLow[row]!, rows.flagsFromHigh[row]!),
    synRetries: rows.synRetries[row]!,
    unreachable: (state & bit.unreachable) !== 0,
    answered: (state & bit.answered) !== 0,
    deliveryUnproven: (state & bit.deliveryUnproven) !== 0,
    rttUs: rows.rttUs[row]!,
    ended: (state & bit.ended) !== 0,
    translation: undefined,
  };
}

function isnOf(rows: FlowColumns, row: number, ofLow: boolean): number | undefined {
  if ((rows.state[row]! & (ofLow ? bit.hasIsnLow : bit.hasIsnHigh)) === 0) return undefined;
  return (ofLow ? rows.isnLow : rows.isnHigh)[row]!;
}

function perDirection(lowIsInitiator: boolean, low: number, high: number): { forward: number; reverse: number } {
  return lowIsInitiator ? { forward: low, reverse: high } : { forward: high, reverse: low };
}

function pointOf(state: number): ConnectionRecord['point'] {
  if ((state & bit.atHost) !== 0) return 'host';
  return ((state & bit.podIsLow) !== 0) === ((state & bit.initiatorIsLow) !== 0) ? 'source' : 'destination';
}
