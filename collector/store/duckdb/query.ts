// Converts a query to SQL. Several values of one field mean any of them; several fields mean all of them.
import { type DuckDBValue, listValue } from '@duckdb/node-api';
import { severities } from '../../../model/finding.ts';
import { SCTP, TCP, UDP } from '../../../model/protocol.ts';
import type { ListQuery } from '../store.ts';
import { wholeUs } from './schema.ts';

export type SqlFilter = { where: string; values: DuckDBValue[] };

export function connectionFilter(query: ListQuery): SqlFilter {
  const filter = new Conditions();
  filter.anyOf('namespaces', query.namespaces);
  filter.ends(query);
  filter.port(query.ports);
  filter.oneOf('verdict', query.verdicts);
  filter.time('end_us >= ?', query.sinceUs);
  filter.time('start_us < ?', query.untilUs);
  return filter.filter();
}

export function findingFilter(query: ListQuery): SqlFilter {
  const filter = new Conditions();
  filter.rolledUpOr(['responders'], (single) => {
    single.anyOf('namespaces', query.namespaces);
    single.ends({ ...query, fromPods: [] });
  });
  filter.ends({ fromPods: query.fromPods ?? [] });
  filter.rolledUpOr(['ports', 'responders'], (single) => single.port(query.ports));
  filter.oneOf('kind', query.kinds);
  filter.oneOf('severity', query.severities);
  filter.oneOf('verdict', query.verdicts);
  filter.time('last_us >= ?', query.sinceUs);
  filter.time('first_us < ?', query.untilUs);
  return filter.filter();
}

/**
 * Selects the ids of findings, `?` at most. All severities take turns, and so do the initiators of one severity; each shows
 * its newest finding first. The same as `fairFindings` (fair-findings.ts).
 */
export function fairSelection(where: string): string {
  const severityRank = `list_position(['${severities.join("', '")}'], severity)`;
  return `
    SELECT id FROM (
      SELECT *, row_number() OVER (PARTITION BY severity ORDER BY turn, last_us DESC, id) AS place FROM (
        SELECT id, severity, last_us,
          row_number() OVER (PARTITION BY severity, initiator ORDER BY last_us DESC, id) AS turn
        FROM findings WHERE ${where}))
    ORDER BY place, ${severityRank} DESC, id LIMIT ?`;
}

class Conditions {
  readonly #conditions: string[] = ['true'];
  readonly #values: DuckDBValue[] = [];

  anyOf(column: string, accepted: readonly string[] | undefined): void {
    if (accepted === undefined || accepted.length === 0) return;
    this.#conditions.push(`list_has_any(${column}, ?)`);
    this.#values.push(listValue([...accepted]));
  }

  /** A namespace with a name, or a single end, is checked in the body. The column `names` excludes most rows first. */
  ends({ pods = [], fromPods = [], toPods = [] }: Pick<ListQuery, 'pods' | 'fromPods' | 'toPods'>): void {
    if (pods.some((name) => name.includes('/'))) this.#podNamed(pods, ['initiator', 'responder']);
    else this.anyOf('names', pods);
    if (fromPods.length > 0) this.#podNamed(fromPods, ['initiator']);
    if (toPods.length > 0) this.#podNamed(toPods, ['responder']);
  }

  /** A finding that is rolled up over one of these fields may have any of them, so it matches every filter of them. */
  rolledUpOr(fields: readonly ('ports' | 'responders')[], addTo: (single: Conditions) => void): void {
    const single = new Conditions();
    addTo(single);
    if (single.#values.length === 0) return;
    const { where, values } = single.filter();
    const rolledUp = fields.map((field) => `${bodyField(field)} IS NOT NULL`);
    this.#conditions.push(`(${[where, ...rolledUp].join(' OR ')})`);
    this.#values.push(...values);
  }

  port(accepted: readonly number[] | undefined): void {
    if (accepted === undefined || accepted.length === 0) return;
    this.oneOf(bodyField('port'), accepted.map(String));
    this.oneOf(bodyField('protocol'), [TCP, UDP, SCTP].map(String));
  }

  #podNamed(accepted: readonly string[], ends: readonly ('initiator' | 'responder')[]): void {
    this.anyOf(
      'names',
      accepted.map((name) => name.slice(name.indexOf('/') + 1)),
    );
    const conditions = accepted.flatMap((podName) => {
      const [name, namespace] = podName.split('/').reverse() as [string, string?];
      return ends.map((end) => {
        const of = (field: string) => bodyField(`${end}.${field}`);
        this.#values.push(name, name, ...(namespace === undefined ? [] : [namespace]));
        const namespaceCondition = namespace === undefined ? '' : ` AND ${of('namespace')} = ?`;
        return `((${of('pod')} = ? OR ${of('workload')} = ?)${namespaceCondition})`;
      });
    });
    this.#conditions.push(`(${conditions.join(' OR ')})`);
  }

  oneOf(column: string, accepted: readonly string[] | undefined): void {
    if (accepted === undefined || accepted.length === 0) return;
    this.#conditions.push(`${column} IN (${accepted.map(() => '?').join(', ')})`);
    this.#values.push(...accepted);
  }

  time(condition: string, us: number | undefined): void {
    if (us === undefined) return;
    this.#conditions.push(condition);
    this.#values.push(wholeUs(us));
  }

  filter(): SqlFilter {
    return { where: this.#conditions.join(' AND '), values: this.#values };
  }
}

/** NULL if the body of the row is not JSON, so that one such row does not fail the query. */
function bodyField(path: string): string {
  return `TRY(body->>'$.${path}')`;
}
