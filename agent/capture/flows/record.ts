// The record of one connection and interval, from its columns.
import { type Address, addressFromBytes } from '../../../model/address.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { bit, type FlowColumns, keyWords } from './flow-columns.ts';

/** hot, once a record: make bench-capture, budget drain */
export function recordOf(rows: FlowColumns, row: number): ConnectionRecord {
  const { key } = rows;
  const at = row * keyWords;
  const state = rows.state[row]!;
  const [low, high] = [addressOf(key, at), addressOf(key, at + 4)];
  const ports = key[at + 8]!;
  const [lowPort, highPort] = [ports >>> 16, ports & 0xffff];
  const lowIsInitiator = (state & bit.initiatorIsLow) !== 0;
  return {
    initiator: lowIsInitiator ? low : high,
    initiatorPort: lowIsInitiator ? lowPort : highPort,
    responder: lowIsInitiator ? high : low,
    responderPort: lowIsInitiator ? highPort : lowPort,
    protocol: key[at + 9]!,
    point: pointOf(state),
    interfaceIndex: key[at + 10]!,
    podUid: '',
    initiatorBy: (state & bit.initiatorCertain) !== 0 ? 'handshake' : 'inferred',
    beganUs: rows.beganUs[row]!,
    firstUs: rows.isEmpty(row) ? rows.lastUs[row]! : rows.firstUs[row]!,
    lastUs: rows.lastUs[row]!,
    packets: both(lowIsInitiator, rows.packetsFromLow[row]!, rows.packetsFromHigh[row]!),
    frames: rows.frames[row]!,
    bytes: both(lowIsInitiator, rows.bytesFromLow[row]!, rows.bytesFromHigh[row]!),
    tcpFlags: both(lowIsInitiator, rows.flagsFromLow[row]!, rows.flagsFromHigh[row]!),
    synRetries: rows.synRetries[row]!,
    unreachable: (state & bit.unreachable) !== 0,
    answered: (state & bit.answered) !== 0,
    unproven: (state & bit.unproven) !== 0,
    rttUs: rows.rttUs[row]!,
    ended: (state & bit.ended) !== 0,
    translation: undefined,
  };
}

function both(lowIsInitiator: boolean, low: number, high: number): { forward: number; reverse: number } {
  return lowIsInitiator ? { forward: low, reverse: high } : { forward: high, reverse: low };
}

function pointOf(state: number): ConnectionRecord['point'] {
  if ((state & bit.atHost) !== 0) return 'host';
  return ((state & bit.podIsLow) !== 0) === ((state & bit.initiatorIsLow) !== 0) ? 'source' : 'destination';
}

const scratch = new Uint8Array(16);
/** The text of an IPv4 address is made once: few addresses stand in many records. */
const texts4 = new Map<number, Address>();
const texts4Most = 65_536;

function addressOf(key: Uint32Array, at: number): Address {
  if (key[at] === 0 && key[at + 1] === 0 && key[at + 2] === 0xffff) return address4(key[at + 3]!);
  for (let i = 0; i < 16; i++) scratch[i] = key[at + (i >> 2)]! >>> (24 - (i & 3) * 8);
  return addressFromBytes(scratch);
}

function address4(word: number): Address {
  const known = texts4.get(word);
  if (known !== undefined) return known;
  if (texts4.size >= texts4Most) texts4.clear();
  const text = `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}` as Address;
  texts4.set(word, text);
  return text;
}
