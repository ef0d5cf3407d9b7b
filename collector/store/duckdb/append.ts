// Writes rows with DuckDB's appender, because one statement for each row costs 100 times as much. Lists are written as text
// for DuckDB to parse: a list value of the binding costs more than the rest of the row, and data chunks leave hundreds of MiB allocated.
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import { objectKey } from '../../../model/kubernetes.ts';
import type { ObjectVersion } from '../../../model/object-version.ts';
import { objectText } from '../../../model/stored-object.ts';
import { workloadKey } from '../../findings/finding-id.ts';
import { namesOf, namespacesOf } from '../matches.ts';
import { wholeUs } from './schema.ts';

/** After this many rows, other work runs: the appender blocks the main thread. */
const maxRowsPerChunk = 512;

/** `version` is that of the first row; each next row has one more. */
export function appendConnections(
  database: DuckDBConnection,
  connections: readonly Connection[],
  version: number,
): Promise<void> {
  return append(database, { table: 'connections', catalog: undefined }, connections, (row, one, index) => {
    row.appendVarchar(one.id);
    row.appendBigInt(BigInt(version + index));
    row.appendBoolean(false);
    row.appendBigInt(wholeUs(one.startUs));
    row.appendBigInt(wholeUs(one.endUs));
    row.appendVarchar(one.verdict);
    appendEndsAndBody(row, one);
  });
}

/** Into the temporary table `staged_findings`. */
export function appendFindings(database: DuckDBConnection, findings: readonly Finding[]): Promise<void> {
  return append(database, { table: 'staged_findings', catalog: 'temp' }, findings, (row, one) => {
    row.appendVarchar(one.id);
    row.appendVarchar(one.kind);
    row.appendVarchar(one.severity);
    if (one.connection === undefined) row.appendNull();
    else row.appendVarchar(one.connection.verdict);
    row.appendBigInt(wholeUs(one.firstSeenUs));
    row.appendBigInt(wholeUs(one.lastSeenUs));
    const { memberCounts, ...body } = one;
    appendEndsAndBody(row, body);
    row.appendVarchar(workloadKey(one.initiator));
    if (memberCounts === undefined) row.appendNull();
    else row.appendVarchar(memberCounts);
  });
}

/** `sequence` is that of the first row; each next row has one more. */
export function appendObjectVersions(
  connection: DuckDBConnection,
  versions: readonly ObjectVersion[],
  sequence: number,
): Promise<void> {
  return append(connection, { table: 'object_versions', catalog: undefined }, versions, (row, one, index) => {
    row.appendBigInt(BigInt(sequence + index));
    row.appendVarchar(objectKey(one.object));
    row.appendVarchar(one.type);
    row.appendVarchar(one.version);
    row.appendBigInt(wholeUs(one.fromUs));
    if (one.sinceUs === undefined) row.appendNull();
    else row.appendBigInt(wholeUs(one.sinceUs));
    row.appendVarchar(objectText(one.object));
  });
}

/** The columns `namespaces`, `names` and `body`. */
function appendEndsAndBody(row: DuckDBAppender, one: Connection | Finding): void {
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

/** Call it in a transaction: a row that cannot be stored leaves those before it. */
async function append<Row>(
  database: DuckDBConnection,
  { table, catalog }: { table: string; catalog: string | undefined },
  rows: readonly Row[],
  appendRow: (appender: DuckDBAppender, row: Row, index: number) => void,
): Promise<void> {
  for (let from = 0; from < rows.length; from += maxRowsPerChunk) {
    if (from > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    const appender = await database.createAppender(table, 'main', catalog);
    for (const [at, row] of rows.slice(from, from + maxRowsPerChunk).entries()) {
      appendRow(appender, row, from + at);
      appender.endRow();
    }
    appender.closeSync();
  }
}

/** A list of strings in DuckDB's text form. */
function listText(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(', ')}]`;
}
