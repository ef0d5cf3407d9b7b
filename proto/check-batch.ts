// Checks a batch before it is stored: every field has its range (field-limits.ts), and the times of each record and name
// are plausible. No other code checks a number of the wire.
import { type FieldLimit, fieldLimits, type MessageName, maxAgeUs, maxAheadUs } from './field-limits.ts';
import { marks, observationPoints } from './marks.ts';
import type { FlowBatch, WireDnsNames, WireDnsQueries, WireRecords } from './wire.ts';

/** Undefined if the batch is valid; otherwise one line with the first field that is not, and its value. */
export function batchFault(batch: FlowBatch): string | undefined {
  return (
    messageFault('FlowBatch', batch, '') ??
    timesFault(batch) ??
    recordsFault(batch.records, batch.sentUs) ??
    namesFault(batch.names, batch.sentUs)
  );
}

function timesFault({ coveredUntilUs, sentUs }: FlowBatch): string | undefined {
  return laterFault('coveredUntilUs', coveredUntilUs, sentUs);
}

/** The times of each record, and the values that depend on each other. hot, once a record */
export function recordsFault(records: WireRecords | null, sentUs: number): string | undefined {
  if (records === null) return undefined;
  const { baseUs, first, span, age, packetsForward, packetsReverse, moreSegments, translation } = records;
  for (let i = 0; i < records.marks.length; i++) {
    const point = observationPoints[records.marks[i]! & marks.point];
    if (point !== 'source' && point !== 'destination')
      return `records.marks[${i}] is ${records.marks[i]}: its observation point is ${point ?? 'unknown'}; allowed are source and destination`;
  }
  for (let i = 0; i < first.length; i++) {
    const firstUs = baseUs + first[i]!;
    const lastUs = firstUs + (span[i] ?? 0);
    const beganUs = firstUs - (age[i] ?? 0);
    if (beganUs < 0) return `records.age[${i}] is ${age[i]}: the record begins before 1970`;
    if (lastUs - sentUs > maxAheadUs) return laterFault(`records[${i}]: its last packet`, lastUs, sentUs);
    if (sentUs - firstUs > maxAgeUs) return `records[${i}]: its first packet is at ${firstUs}, ten years before sentUs`;
    const packets = (packetsForward[i] ?? 0) + (packetsReverse[i] ?? 0);
    if ((moreSegments[i] ?? 0) > packets)
      return `records.moreSegments[${i}] is ${moreSegments[i]}; the record has only ${packets} packets`;
  }
  for (let at = 1; at < translation.length; at += 2) {
    if (translation[at]! > 65_535) return `records.translation[${at}] is ${translation[at]}; allowed is 0 to 65535`;
  }
  return undefined;
}

function namesFault(names: WireDnsNames | null, sentUs: number): string | undefined {
  if (names === null) return undefined;
  return (
    firstFault(names.atUs, (atUs, i) => laterFault(`names.atUs[${i}]`, atUs, sentUs)) ??
    (names.queries && queriesFault(names.queries, sentUs)) ??
    undefined
  );
}

function queriesFault({ withdrawn, unanswered, watched }: WireDnsQueries, sentUs: number): string | undefined {
  const later = (what: string, us: number) => laterFault(`names.queries.${what}`, us, sentUs);
  return (
    firstFault(withdrawn, ({ atUs }, i) => later(`withdrawn[${i}].atUs`, atUs)) ??
    firstFault(unanswered, ({ atUs }, i) => later(`unanswered[${i}].atUs`, atUs)) ??
    firstFault(watched, ({ sinceUs, untilUs }, i) => {
      return later(`watched[${i}].sinceUs`, sinceUs) ?? later(`watched[${i}].untilUs`, untilUs);
    })
  );
}

function laterFault(what: string, us: number, sentUs: number): string | undefined {
  return us - sentUs > maxAheadUs ? `${what} is at ${us}, more than two hours after sentUs ${sentUs}` : undefined;
}

function messageFault(name: MessageName, message: object, place: string): string | undefined {
  for (const [field, limit] of Object.entries(fieldLimits[name])) {
    const fault = fieldFault(limit, message[field as keyof typeof message], `${place}${field}`);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function fieldFault(limit: FieldLimit, value: unknown, place: string): string | undefined {
  switch (limit.is) {
    case 'number':
      return Array.isArray(value) ? columnFault(limit, value, place) : numberFault(limit, value as number, place);
    case 'text':
      return Array.isArray(value) ? textsFault(limit, value, place) : textFault(limit, value as string, place);
    case 'message':
      return Array.isArray(value) ? messagesFault(limit, value, place) : nestedFault(limit, value, place);
    case 'counts':
      return countsFault(limit, value as Record<string, number>, place);
    case 'bytes':
    case 'flag':
      return undefined;
  }
}

type NumberLimit = FieldLimit & { is: 'number' };
type TextLimit = FieldLimit & { is: 'text' };
type MessageLimit = FieldLimit & { is: 'message' };
type CountsLimit = FieldLimit & { is: 'counts' };

/** hot, once a number */
function columnFault(limit: NumberLimit, values: readonly number[], place: string): string | undefined {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < limit.min || value > limit.max) return numberFault(limit, value, `${place}[${i}]`);
  }
  return undefined;
}

function numberFault({ min, max }: NumberLimit, value: number, place: string): string | undefined {
  return value < min || value > max ? `${place} is ${value}; allowed is ${min} to ${max}` : undefined;
}

function textsFault(limit: TextLimit, values: readonly string[], place: string): string | undefined {
  return tooMany(limit, values, place) ?? firstFault(values, (value, i) => textFault(limit, value, `${place}[${i}]`));
}

function textFault({ maxLength }: TextLimit, value: string, place: string): string | undefined {
  return value.length > maxLength
    ? `${place} has ${value.length} characters; allowed are ${maxLength} (it begins with ${JSON.stringify(value.slice(0, 20))})`
    : undefined;
}

function messagesFault(limit: MessageLimit, values: readonly object[], place: string): string | undefined {
  return (
    tooMany(limit, values, place) ??
    firstFault(values, (value, i) => messageFault(limit.message, value, `${place}[${i}].`))
  );
}

function nestedFault(limit: MessageLimit, value: unknown, place: string): string | undefined {
  return value === null ? undefined : messageFault(limit.message, value as object, `${place}.`);
}

function countsFault(limit: CountsLimit, counts: Record<string, number>, place: string): string | undefined {
  const entries = Object.entries(counts);
  const allowed: NumberLimit = { is: 'number', min: 0, max: limit.max };
  return (
    tooMany(limit, entries, place) ??
    firstFault(entries, ([key, value]) => {
      const name = `${place}[${JSON.stringify(key.slice(0, 20))}]`;
      if (key.length > limit.maxLength)
        return `${name} has a name of ${key.length} characters; allowed are ${limit.maxLength}`;
      return numberFault(allowed, value, name);
    })
  );
}

function tooMany({ maxItems }: { maxItems?: number }, values: readonly unknown[], place: string): string | undefined {
  return maxItems !== undefined && values.length > maxItems
    ? `${place} has ${values.length} values; allowed are ${maxItems}`
    : undefined;
}

function firstFault<Value>(
  values: readonly Value[],
  faultOf: (value: Value, index: number) => string | undefined,
): string | undefined {
  for (const [i, value] of values.entries()) {
    const fault = faultOf(value, i);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
