// Rows into a table by DuckDB's appender: a statement a row costs a hundred times as much. Lists go as text, which DuckDB
// reads: a list of the binding's own costs more than the rest of the row, and whole chunks leave hundreds of MiB behind.
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import { namesOf, namespacesOf } from '../matches.ts';
import { wholeUs } from './schema.ts';
import { inTransaction } from './transaction.ts';

/** Then others have their turn: the appender does its work on their thread. */
const maxRowsPerChunk = 2_048;

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
    row.appendBigInt(wholeUs(one.startUs));
    row.appendBigInt(wholeUs(one.endUs));
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
    row.appendBigInt(wholeUs(one.firstSeenUs));
    row.appendBigInt(wholeUs(one.lastSeenUs));
    appendEnds(row, one);
  });
}

/** Namespaces, names, and the whole. */
function appendEnds(row: DuckDBAppender, one: Connection | Finding): void {
  row.appendVarchar(listText(namespacesOf(one.initiator, one.responder)));
  row.appendVarchar(listText(namesOf(one.initiator, one.responder)));
  row.appendVarchar(JSON.stringify(storedBody(one)));
}

/** The stored field is named `elsewhere`, as version 0.1.0 wrote it. */
function storedBody(one: Connection | Finding): object {
  if (!('declaredVerdict' in one)) return one;
  const { declaredVerdict, ...rest } = one;
  return { ...rest, elsewhere: declaredVerdict };
}

/** All of them, or none. */
async function append<Row>(
  connection: DuckDBConnection,
  { table, catalog }: { table: string; catalog: string | undefined },
  rows: readonly Row[],
  appendRow: (appender: DuckDBAppender, row: Row, index: number) => void,
): Promise<void> {
  await inTransaction(connection, async () => {
    for (let from = 0; from < rows.length; from += maxRowsPerChunk) {
      if (from > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      const appender = await connection.createAppender(table, 'main', catalog);
      for (const [at, row] of rows.slice(from, from + maxRowsPerChunk).entries()) {
        appendRow(appender, row, from + at);
        appender.endRow();
      }
      appender.closeSync();
    }
  });
}

/** As DuckDB reads a list of text. */
function listText(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
}
