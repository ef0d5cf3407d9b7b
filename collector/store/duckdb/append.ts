// Rows into a table by DuckDB's appender: a statement a row costs a hundred times as much. Lists go as text, which DuckDB
// reads: a list of the binding's own costs more than the rest of the row, and whole chunks leave hundreds of MiB behind.
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import { namesOf, namespacesOf } from '../matches.ts';

/** Then others have their turn: the appender does its work on their thread. */
const rowsAtOnce = 2_048;

/** `version` is that of the first, and grows by one. */
export function appendConnections(
  connection: DuckDBConnection,
  connections: readonly Connection[],
  version: number,
): Promise<void> {
  return append(connection, { table: 'connections', catalog: undefined }, connections, (row, one, index) => {
    row.appendVarchar(one.id);
    row.appendBigInt(BigInt(version + index));
    row.appendBoolean(false);
    row.appendBigInt(us(one.startUs));
    row.appendBigInt(us(one.endUs));
    row.appendVarchar(one.verdict);
    appendEnds(row, one);
  });
}

/** Into the temporary table `staged_findings`. */
export function appendFindings(connection: DuckDBConnection, findings: readonly Finding[]): Promise<void> {
  return append(connection, { table: 'staged_findings', catalog: 'temp' }, findings, (row, one) => {
    row.appendVarchar(one.id);
    row.appendVarchar(one.kind);
    row.appendVarchar(one.severity);
    if (one.connection === undefined) row.appendNull();
    else row.appendVarchar(one.connection.verdict);
    row.appendBigInt(us(one.firstSeenUs));
    row.appendBigInt(us(one.lastSeenUs));
    appendEnds(row, one);
  });
}

/** Namespaces, names, and the whole. */
function appendEnds(row: DuckDBAppender, one: Connection | Finding): void {
  row.appendVarchar(listText(namespacesOf(one.initiator, one.responder)));
  row.appendVarchar(listText(namesOf(one.initiator, one.responder)));
  row.appendVarchar(JSON.stringify(one));
}

/** All of them, or none. */
async function append<Row>(
  connection: DuckDBConnection,
  { table, catalog }: { table: string; catalog: string | undefined },
  rows: readonly Row[],
  appendRow: (appender: DuckDBAppender, row: Row, index: number) => void,
): Promise<void> {
  await connection.run('BEGIN');
  try {
    for (let from = 0; from < rows.length; from += rowsAtOnce) {
      if (from > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      const appender = await connection.createAppender(table, 'main', catalog);
      for (const [at, row] of rows.slice(from, from + rowsAtOnce).entries()) {
        appendRow(appender, row, from + at);
        appender.endRow();
      }
      appender.closeSync();
    }
    await connection.run('COMMIT');
  } catch (error) {
    await connection.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** As DuckDB reads a list of text. */
function listText(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
}

function us(time: number): bigint {
  return BigInt(Math.round(time));
}
