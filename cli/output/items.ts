// Findings and connections read back: from a collector, or from a file that -o json or jsonl wrote. Fields that are not
// known here are kept, so that a newer collector's output passes through whole.
import { z } from 'zod';
import { endsMatch, oneOf, timesMatch } from '../../collector/store/matches.ts';
import type { Query } from '../../collector/store/store.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';

export type Kind<Item> = {
  /** Undefined where it is none. */
  read(value: unknown): Item | undefined;
  matches(query: Query, item: Item): boolean;
  lastUs(item: Item): number;
};

const endpoint = z.looseObject({ kind: z.enum(['pod', 'node', 'service', 'host', 'external', 'unknown']) });
const both = z.object({ forward: z.number(), reverse: z.number() });
const time = z.iso.datetime();

const finding = z.looseObject({
  id: z.string(),
  kind: z.string(),
  severity: z.string(),
  initiator: endpoint,
  responder: endpoint.optional(),
  connections: z.number(),
  firstSeen: time,
  lastSeen: time,
  explanation: z.string(),
});

const connection = z.looseObject({
  id: z.string(),
  start: time,
  end: time,
  initiator: endpoint,
  responder: endpoint,
  verdict: z.string(),
  placement: z.string(),
  outcome: z.string(),
  delivered: z.string(),
  packets: both,
  bytes: both,
  observed: z.array(z.string()),
});

export const findingKind: Kind<FindingJson> = {
  read: (value) => (finding.safeParse(value).success ? (value as FindingJson) : undefined),
  matches: (query, one) =>
    endsMatch(query, one.initiator, one.responder) &&
    oneOf(query.ports, one.port) &&
    oneOf<string>(query.kinds, one.kind) &&
    oneOf<string>(query.severities, one.severity) &&
    oneOf<string>(query.verdicts, one.verdict) &&
    timesMatch(query, usOf(one.firstSeen), usOf(one.lastSeen)),
  lastUs: (one) => usOf(one.lastSeen),
};

export const connectionKind: Kind<ConnectionJson> = {
  read: (value) => (connection.safeParse(value).success ? (value as ConnectionJson) : undefined),
  matches: (query, one) =>
    endsMatch(query, one.initiator, one.responder) &&
    oneOf(query.ports, one.port) &&
    oneOf<string>(query.verdicts, one.verdict) &&
    timesMatch(query, usOf(one.start), usOf(one.end)),
  lastUs: (one) => usOf(one.end),
};

function usOf(text: string): number {
  return Date.parse(text) * 1000;
}
