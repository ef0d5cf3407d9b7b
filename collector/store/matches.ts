// Applies a query to objects in memory, with the same result as the store. Several values of one field mean any of them;
// several fields mean all of them.
import type { Connection } from '../../model/connection.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { Finding } from '../../model/finding.ts';
import { hasPorts } from '../../model/protocol.ts';
import type { ListQuery } from './store.ts';

export function findingMatches(query: ListQuery, finding: Finding): boolean {
  return (
    endsMatch(query, finding.initiator, finding.responder ?? finding.responders) &&
    portMatches(query, finding) &&
    oneOf(query.kinds, finding.kind) &&
    oneOf(query.severities, finding.severity) &&
    oneOf(query.verdicts, finding.connection?.verdict) &&
    timesMatch(query, finding.firstSeenUs, finding.lastSeenUs)
  );
}

export function connectionMatches(query: ListQuery, connection: Connection): boolean {
  return (
    endsMatch(query, connection.initiator, connection.responder) &&
    oneOf(query.ports, hasPorts(connection.protocol) ? connection.port : undefined) &&
    oneOf(query.verdicts, connection.verdict) &&
    timesMatch(query, connection.startUs, connection.endUs)
  );
}

/** A finding that is rolled up over ports or responders may have any port. */
export function portMatches(
  { ports }: Pick<ListQuery, 'ports'>,
  finding: { port?: number; ports?: object; responders?: object },
): boolean {
  return finding.ports !== undefined || finding.responders !== undefined || oneOf(ports, finding.port);
}

/** `{ count }`: a finding that is rolled up over responders may have any responder. */
export function endsMatch(
  query: Pick<ListQuery, 'namespaces' | 'pods' | 'fromPods' | 'toPods'>,
  initiator: Endpoint | undefined,
  responder: Endpoint | { count: number } | undefined,
): boolean {
  if (responder !== undefined && 'count' in responder) return anyOf(query.fromPods, queryNames(initiator));
  return (
    anyOf(query.namespaces, namespacesOf(initiator, responder)) &&
    anyOf(query.pods, [...queryNames(initiator), ...queryNames(responder)]) &&
    anyOf(query.fromPods, queryNames(initiator)) &&
    anyOf(query.toPods, queryNames(responder))
  );
}

/** The names that a query may use for an end. */
function queryNames(end: Endpoint | undefined): string[] {
  const names = namesOf(end);
  return end?.namespace === undefined ? names : [...names, ...names.map((name) => `${end.namespace}/${name}`)];
}

export function oneOf<Value>(accepted: readonly Value[] | undefined, value: Value | undefined): boolean {
  return accepted === undefined || accepted.length === 0 || (value !== undefined && accepted.includes(value));
}

/** True if the times overlap those of the query; `untilUs` is exclusive. */
export function timesMatch(query: Pick<ListQuery, 'sinceUs' | 'untilUs'>, firstUs: number, lastUs: number): boolean {
  return (
    (query.sinceUs === undefined || lastUs >= query.sinceUs) && (query.untilUs === undefined || firstUs < query.untilUs)
  );
}

/** Namespaces of the ends, without duplicates. */
export function namespacesOf(...ends: readonly (Endpoint | undefined)[]): string[] {
  return [...new Set(ends.flatMap((end) => end?.namespace ?? []))];
}

/** Names of the pods and workloads of the ends, without duplicates. */
export function namesOf(...ends: readonly (Endpoint | undefined)[]): string[] {
  return [...new Set(ends.flatMap((end) => [end?.pod, end?.workload]).filter((name) => name !== undefined))];
}

function anyOf(accepted: readonly string[] | undefined, values: readonly string[]): boolean {
  return accepted === undefined || accepted.length === 0 || values.some((value) => accepted.includes(value));
}
