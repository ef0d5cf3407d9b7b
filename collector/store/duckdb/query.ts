// What a user asks for as SQL: several values of one field mean either, several fields mean both.
import { type DuckDBValue, listValue } from '@duckdb/node-api';
import type { Query } from '../store.ts';

export type Filter = { where: string; values: DuckDBValue[] };

export function connectionFilter(query: Query): Filter {
  const filter = new Conditions();
  filter.anyOf('namespaces', query.namespaces);
  filter.anyOf('names', query.pods);
  filter.oneOf('verdict', query.verdicts);
  filter.time('end_us >= ?', query.sinceUs);
  filter.time('start_us < ?', query.untilUs);
  return filter.filter();
}

export function findingFilter(query: Query): Filter {
  const filter = new Conditions();
  filter.anyOf('namespaces', query.namespaces);
  filter.anyOf('names', query.pods);
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

  oneOf(column: string, wanted: readonly string[] | undefined): void {
    if (wanted === undefined || wanted.length === 0) return;
    this.#conditions.push(`${column} IN (${wanted.map(() => '?').join(', ')})`);
    this.#values.push(...wanted);
  }

  time(condition: string, us: number | undefined): void {
    if (us === undefined) return;
    this.#conditions.push(condition);
    this.#values.push(BigInt(Math.round(us)));
  }

  filter(): Filter {
    return { where: this.#conditions.join(' AND '), values: this.#values };
  }
}
