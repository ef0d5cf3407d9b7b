// All of what `run` does, or none of it.
import type { DuckDBConnection } from '@duckdb/node-api';

/** Rejects as `run` does, or where what it did cannot be kept. */
export async function inTransaction(connection: DuckDBConnection, run: () => Promise<void>): Promise<void> {
  await connection.run('BEGIN');
  try {
    await run();
    await connection.run('COMMIT');
  } catch (error) {
    await connection.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
