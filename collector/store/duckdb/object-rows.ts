// The cluster's objects over time, in the embedded store.
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import type { KnownObjects, ObjectVersion } from '../../../model/object-version.ts';
import { objectOfText } from '../../../model/stored-object.ts';
import { wholeUs } from './schema.ts';
import { inTransaction } from './transaction.ts';

type Row = Record<string, DuckDBValue>;

/** Connections that are joined again after a restart may have begun in this time. */
const keptUs = 3_600_000_000;

export function objectVersionOfRow(row: Row): ObjectVersion {
  if (row.type !== 'put' && row.type !== 'gone') throw new Error(`unknown type ${row.type}`);
  return {
    type: row.type,
    object: objectOfText(String(row.body)),
    version: String(row.version),
    fromUs: Number(row.from_us),
    ...(row.since_us !== null && { sinceUs: Number(row.since_us) }),
  };
}

export async function replaceKnownObjects(connection: DuckDBConnection, known: KnownObjects): Promise<void> {
  await inTransaction(connection, async () => {
    await connection.run('DELETE FROM known_objects');
    await connection.run('INSERT INTO known_objects VALUES (?)', [JSON.stringify(known)]);
  });
}

/** Throws if the text is not valid. */
export function knownObjectsOf(text: string): KnownObjects {
  const { untilUs, versions } = JSON.parse(text) as KnownObjects;
  if (typeof untilUs !== 'object' || typeof versions !== 'object') throw new Error('untilUs or versions is missing');
  return { untilUs, versions };
}

/** Keeps the versions of the last hour, and of each object the version before, unless it was gone then. */
export async function deleteOldVersions(connection: DuckDBConnection, nowUs: number): Promise<void> {
  await connection.run(
    `DELETE FROM object_versions USING
       (SELECT key, max(sequence) AS latest FROM object_versions WHERE from_us <= ? GROUP BY key) AS base
     WHERE object_versions.key = base.key
       AND (object_versions.sequence < base.latest OR (object_versions.sequence = base.latest AND type = 'gone'))`,
    [wholeUs(nowUs - keptUs)],
  );
}
