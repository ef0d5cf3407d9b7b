// Runs statements in a transaction.
import type { DuckDBConnection } from '@duckdb/node-api';

/** Rejects if `run` or the commit fails; then everything is rolled back. */
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
