// Reads findings and connections from a collector, or from a file that -o json or -o jsonl wrote. Unknown fields are kept,
// because a newer collector may send them.
import { z } from 'zod';
import { fairFindings } from '../../collector/store/fair-findings.ts';
import { endsMatch, oneOf, portMatches, timesMatch } from '../../collector/store/matches.ts';
import type { ListQuery } from '../../collector/store/store.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';

export type ItemReader<Item> = {
  /** Undefined if the value is not such an item. */
  read(value: unknown): Item | undefined;
  matches(query: ListQuery, item: Item): boolean;
  /** At most `last` items, as a collector would select them, newest first. */
  newest(items: readonly Item[], last: number): Item[];
};

const endpointSchema = z.looseObject({ kind: z.enum(['pod', 'node', 'service', 'host', 'external', 'unknown']) });
const bidirectionalCount = z.object({ forward: z.number(), reverse: z.number() });
const time = z.iso.datetime();

const membersSchema = z.looseObject({ count: z.number(), first: z.array(z.unknown()) });

const findingSchema = z.looseObject({
  id: z.string(),
  kind: z.string(),
  severity: z.string(),
  initiator: endpointSchema,
  responder: endpointSchema.optional(),
  ports: membersSchema.optional(),
  protocols: membersSchema.optional(),
  responders: membersSchema.optional(),
  connections: z.number(),
  firstSeen: time,
  lastSeen: time,
  explanation: z.string(),
});

const connectionSchema = z.looseObject({
  id: z.string(),
  start: time,
  end: time,
  initiator: endpointSchema,
  responder: endpointSchema,
  verdict: z.string(),
  placement: z.string(),
  outcome: z.string(),
  delivered: z.string(),
  packets: bidirectionalCount,
  bytes: bidirectionalCount,
  observed: z.array(z.string()),
});

export const findingReader: ItemReader<FindingJson> = {
  read: (value) => (findingSchema.safeParse(value).success ? (value as FindingJson) : undefined),
  matches: (query, one) =>
    endsMatch(query, one.initiator, one.responder ?? one.responders) &&
    portMatches(query, one) &&
    oneOf<string>(query.kinds, one.kind) &&
    oneOf<string>(query.severities, one.severity) &&
    oneOf<string>(query.verdicts, one.verdict) &&
    timesMatch(query, microsecondsOf(one.firstSeen), microsecondsOf(one.lastSeen)),
  newest: (findings, last) => {
    const lastUs = (one: FindingJson) => microsecondsOf(one.lastSeen);
    return fairFindings(findings, last, lastUs).sort((a, b) => lastUs(b) - lastUs(a));
  },
};

export const connectionReader: ItemReader<ConnectionJson> = {
  read: (value) => (connectionSchema.safeParse(value).success ? (value as ConnectionJson) : undefined),
  matches: (query, one) =>
    endsMatch(query, one.initiator, one.responder) &&
    oneOf(query.ports, one.port) &&
    oneOf<string>(query.verdicts, one.verdict) &&
    timesMatch(query, microsecondsOf(one.start), microsecondsOf(one.end)),
  newest: (connections, last) =>
    [...connections].sort((a, b) => microsecondsOf(b.end) - microsecondsOf(a.end)).slice(0, last),
};

function microsecondsOf(text: string): number {
  return Date.parse(text) * 1000;
}
