// The bits of the column `marks`; flow.proto explains each.
import type { ObservationPoint } from '../model/record.ts';

export const observationPoints: readonly ObservationPoint[] = ['source', 'destination', 'host'];
export const marks = {
  point: 3,
  handshake: 4,
  unreachable: 8,
  ended: 16,
  translation: 32,
  deliveryUnproven: 64,
  answered: 128,
} as const;
