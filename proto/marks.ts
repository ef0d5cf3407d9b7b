// The bits of the columns `marks` and `moreMarks`; flow.proto explains each.
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
export const moreMarks = { isnKnown: 1, bothSentSyn: 2, responderFirst: 4 } as const;
