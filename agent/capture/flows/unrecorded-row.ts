// What a row without a record is added up by.
import type { Unrecorded } from '../../../model/unrecorded.ts';
import { bit, type FlowColumns, keyStride, protocolInKey } from './flow-columns.ts';
import { remoteZoneAt } from './remote-zone.ts';

export function unrecordedOf({ key, state }: FlowColumns, row: number): Unrecorded {
  const at = row * keyStride;
  const bits = state[row]!;
  const initiatorIsLow = (bits & bit.initiatorIsLow) !== 0;
  const atHost = (bits & bit.atHost) !== 0;
  const podIsLow = atHost ? initiatorIsLow : (bits & bit.podIsLow) !== 0;
  const podIsInitiator = podIsLow === initiatorIsLow;
  return {
    direction: atHost ? 'unknown' : podIsInitiator ? 'from-pod' : 'to-pod',
    protocol: key[at + 9]! & protocolInKey,
    port: initiatorIsLow ? key[at + 8]! & 0xffff : key[at + 8]! >>> 16,
    zone: remoteZoneAt(key, podIsLow ? at + 4 : at),
  };
}
