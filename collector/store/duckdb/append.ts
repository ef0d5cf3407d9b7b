// Rows into a table by whole chunks: a value at a time costs three times as much, a statement a row a thousand times.
import {
  BIGINT,
  BOOLEAN,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBType,
  type DuckDBValue,
  LIST,
  listValue,
  VARCHAR,
} from '@duckdb/node-api';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import { namesOf, namespacesOf } from '../matches.ts';

/** What DuckDB takes in at once. */
const rowsAChunk = 2_048;

const texts = LIST(VARCHAR);

type Column<Row> = { type: DuckDBType; of: (row: Row) => DuckDBValue };

const us = (time: number) => BigInt(Math.round(time));
const list = (values: readonly string[]) => listValue([...values]);

/** `version` is that of the first, and grows by one. */
export function appendConnections(
  connection: DuckDBConnection,
  connections: readonly Connection[],
  version: number,
): Promise<void> {
  let next = version;
  const columns: Column<Connection>[] = [
    { type: VARCHAR, of: ({ id }) => id },
    { type: BIGINT, of: () => BigInt(next++) },
    { type: BOOLEAN, of: () => false },
    { type: BIGINT, of: ({ startUs }) => us(startUs) },
    { type: BIGINT, of: ({ endUs }) => us(endUs) },
    { type: VARCHAR, of: ({ verdict }) => verdict },
    { type: texts, of: ({ initiator, responder }) => list(namespacesOf(initiator, responder)) },
    { type: texts, of: ({ initiator, responder }) => list(namesOf(initiator, responder)) },
    { type: VARCHAR, of: (one) => JSON.stringify(one) },
  ];
  return append(connection, { table: 'connections', catalog: undefined }, columns, connections);
}

/** Into the temporary table `stagedFindings`. */
export function appendFindings(connection: DuckDBConnection, findings: readonly Finding[]): Promise<void> {
  const columns: Column<Finding>[] = [
    { type: VARCHAR, of: ({ id }) => id },
    { type: VARCHAR, of: ({ kind }) => kind },
    { type: VARCHAR, of: ({ severity }) => severity },
    { type: VARCHAR, of: (one) => one.connection?.verdict ?? null },
    { type: BIGINT, of: ({ firstSeenUs }) => us(firstSeenUs) },
    { type: BIGINT, of: ({ lastSeenUs }) => us(lastSeenUs) },
    { type: texts, of: ({ initiator, responder }) => list(namespacesOf(initiator, responder)) },
    { type: texts, of: ({ initiator, responder }) => list(namesOf(initiator, responder)) },
    { type: VARCHAR, of: (one) => JSON.stringify(one) },
  ];
  return append(connection, { table: 'staged_findings', catalog: 'temp' }, columns, findings);
}

/** Between chunks others have their turn: the appender does its work on their thread. */
async function append<Row>(
  connection: DuckDBConnection,
  { table, catalog }: { table: string; catalog: string | undefined },
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<void> {
  const types = columns.map(({ type }) => type);
  for (let from = 0; from < rows.length; from += rowsAChunk) {
    if (from > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    const some = rows.slice(from, from + rowsAChunk);
    const chunk = DuckDBDataChunk.create(types);
    chunk.setColumns(columns.map(({ of }) => some.map(of)));
    const appender = await connection.createAppender(table, 'main', catalog);
    appender.appendDataChunk(chunk);
    appender.closeSync();
  }
}
