// What a user asks for as SQL: several values of one field mean either, several fields mean both.
import { type DuckDBValue, listValue } from '@duckdb/node-api';
import { SCTP, TCP, UDP } from '../../../model/protocol.ts';
import type { Query } from '../store.ts';
import { wholeUs } from './schema.ts';

export type Filter = { where: string; values: DuckDBValue[] };

export function connectionFilter(query: Query): Filter {
  const filter = new Conditions();
  filter.anyOf('namespaces', query.namespaces);
  filter.ends(query);
  filter.port(query.ports);
  filter.oneOf('verdict', query.verdicts);
  filter.time('end_us >= ?', query.sinceUs);
  filter.time('start_us < ?', query.untilUs);
  return filter.filter();
}

export function findingFilter(query: Query): Filter {
  const filter = new Conditions();
  filter.anyOf('namespaces', query.namespaces);
  filter.ends(query);
  filter.port(query.ports);
  filter.oneOf('kind', query.kinds);
  filter.oneOf('severity', query.severities);
  filter.oneOf('verdict', query.verdicts);
  filter.time('last_us >= ?', query.sinceUs);
  filter.time('first_us < ?', query.untilUs);
  return filter.filter();
}

class Conditions {
  readonly #conditions: string[] = ['true'];
  readonly #values: DuckDBValue[] = [];

  anyOf(column: string, wanted: readonly string[] | undefined): void {
    if (wanted === undefined || wanted.length === 0) return;
    this.#conditions.push(`list_has_any(${column}, ?)`);
    this.#values.push(listValue([...wanted]));
  }

  /** Of names with their namespace, and of one end, only the body tells; those of any end tell quickly which cannot be. */
  ends({ pods = [], fromPods = [], toPods = [] }: Query): void {
    if (pods.some((name) => name.includes('/'))) this.#named(pods, ['initiator', 'responder']);
    else this.anyOf('names', pods);
    if (fromPods.length > 0) this.#named(fromPods, ['initiator']);
    if (toPods.length > 0) this.#named(toPods, ['responder']);
  }

  port(wanted: readonly number[] | undefined): void {
    if (wanted === undefined || wanted.length === 0) return;
    this.oneOf("(body->>'$.port')", wanted.map(String));
    this.oneOf("(body->>'$.protocol')", [TCP, UDP, SCTP].map(String));
  }

  #named(wanted: readonly string[], ends: readonly ('initiator' | 'responder')[]): void {
    this.anyOf(
      'names',
      wanted.map((name) => name.slice(name.indexOf('/') + 1)),
    );
    const conditions = wanted.flatMap((asked) => {
      const [name, namespace] = asked.split('/').reverse() as [string, string?];
      return ends.map((end) => {
        const of = (field: string) => `(body->>'$.${end}.${field}')`;
        this.#values.push(name, name, ...(namespace === undefined ? [] : [namespace]));
        const whose = namespace === undefined ? '' : ` AND ${of('namespace')} = ?`;
        return `((${of('pod')} = ? OR ${of('workload')} = ?)${whose})`;
      });
    });
    this.#conditions.push(`(${conditions.join(' OR ')})`);
  }

  oneOf(column: string, wanted: readonly string[] | undefined): void {
    if (wanted === undefined || wanted.length === 0) return;
    this.#conditions.push(`${column} IN (${wanted.map(() => '?').join(', ')})`);
    this.#values.push(...wanted);
  }

  time(condition: string, us: number | undefined): void {
    if (us === undefined) return;
    this.#conditions.push(condition);
    this.#values.push(wholeUs(us));
  }

  filter(): Filter {
    return { where: this.#conditions.join(' AND '), values: this.#values };
  }
}
