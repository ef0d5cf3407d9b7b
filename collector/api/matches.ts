// Whether a change is what a follower asked for: the same as the store's answer to the same query.
import type { Endpoint } from '../../model/endpoint.ts';
import type { Query } from '../store/store.ts';
import type { Change } from './api.ts';

export function matches(change: Change, query: Query): boolean {
  const one = change.type === 'finding' ? change.finding : change.connection;
  const ends = [one.initiator, one.responder].filter((end) => end !== undefined);
  if (
    !either(
      query.namespaces,
      ends.map((end: Endpoint) => end.namespace),
    )
  )
    return false;
  if (
    !either(
      query.pods,
      ends.flatMap((end: Endpoint) => [end.pod, end.workload]),
    )
  )
    return false;
  if (change.type === 'connection') return either(query.verdicts, [change.connection.verdict]);
  const { kind, severity, connection } = change.finding;
  return (
    either(query.kinds, [kind]) && either(query.severities, [severity]) && either(query.verdicts, [connection?.verdict])
  );
}

function either(wanted: readonly string[] | undefined, values: readonly (string | undefined)[]): boolean {
  if (wanted === undefined || wanted.length === 0) return true;
  return values.some((value) => value !== undefined && wanted.includes(value));
}
