// Runs one statement at a time on a connection, because a DuckDB connection does not allow two.
import type { DuckDBConnection } from '@duckdb/node-api';

export class Statements {
  readonly connection: DuckDBConnection;
  #last: Promise<unknown> = Promise.resolve();

  constructor(connection: DuckDBConnection) {
    this.connection = connection;
  }

  /** Runs after all earlier ones, whether they failed or not. */
  run<Result>(statement: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(statement);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
