// An InfluxDB server, or another one with line protocol 1.x. Writes batches, and creates the database if it is missing.
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { InfluxDB, type IPoint } from 'influx';

/** Credentials in the URL are used if `username` is empty. */
export type ServerAddress = { url: string; database: string; username: string; password: string };

/** `refused`: this many points were rejected for good, and the others written. `unavailable`: none was written; try again. */
export type WriteResult =
  | { status: 'accepted' }
  | { status: 'refused'; points: number; reason: string }
  | { status: 'unavailable'; reason: string };

const requestTimeoutMs = 10_000;
/** Turns the library's backoff off: it hides the reason of a failure, and series.ts has its own. */
const noBackoff = { getDelay: () => 0, next: () => noBackoff, reset: () => noBackoff };

export class InfluxServer {
  /** For logs: without credentials. */
  readonly url: string;
  readonly #database: string;
  readonly #influx: InfluxDB;
  readonly #agent: HttpAgent;
  readonly #closed = Promise.withResolvers<never>();

  constructor({ url: urlText, database, username, password }: ServerAddress) {
    const url = new URL(urlText);
    const https = url.protocol === 'https:';
    const path = url.pathname === '/' ? '' : url.pathname.replace(/\/$/, '');
    this.url = `${url.origin}${path}`;
    this.#database = database;
    this.#agent = https ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
    const user =
      username === ''
        ? { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
        : { username, password };
    this.#influx = new InfluxDB({
      host: url.hostname,
      port: Number(url.port) || (https ? 443 : 8086),
      protocol: https ? 'https' : 'http',
      path,
      database,
      ...(user.username === '' ? {} : user),
      options: { agent: this.#agent },
      pool: { maxRetries: 0, requestTimeout: requestTimeoutMs, backoff: noBackoff },
    });
    this.#closed.promise.catch(() => undefined);
  }

  async write(points: readonly IPoint[]): Promise<WriteResult> {
    try {
      await this.#withTimeout(this.#influx.writePoints([...points], { precision: 'ms' }));
      return { status: 'accepted' };
    } catch (error) {
      if (statusOf(error) === 404 && reasonOf(error).includes('database not found'))
        return this.#createDatabaseAndWrite(points);
      if (statusOf(error) !== 400 && statusOf(error) !== 413) return { status: 'unavailable', reason: reasonOf(error) };
      const dropped = /dropped=(\d+)/.exec(reasonOf(error));
      return {
        status: 'refused',
        points: dropped === null ? points.length : Number(dropped[1]),
        reason: reasonOf(error),
      };
    }
  }

  /** A running request fails at once. */
  close(): void {
    this.#closed.reject(new Error('the collector is stopping'));
    this.#agent.destroy();
  }

  async #createDatabaseAndWrite(points: readonly IPoint[]): Promise<WriteResult> {
    try {
      await this.#withTimeout(this.#influx.createDatabase(this.#database));
    } catch (error) {
      return {
        status: 'unavailable',
        reason: `database ${this.#database} does not exist and cannot be created: ${reasonOf(error)}`,
      };
    }
    // If the database is still missing, do not create it again: that could loop forever.
    return this.#withTimeout(this.#influx.writePoints([...points], { precision: 'ms' })).then(
      () => ({ status: 'accepted' }),
      (error: unknown) => ({ status: 'unavailable', reason: reasonOf(error) }),
    );
  }

  /** Needed because the library waits forever if a server stops in the middle of its answer. */
  #withTimeout<Value>(request: Promise<Value>): Promise<Value> {
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => timeout.reject(new Error('no answer in time')), requestTimeoutMs + 1_000);
    return Promise.race([request, timeout.promise, this.#closed.promise]).finally(() => clearTimeout(timer));
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { res?: { statusCode?: number } } | undefined)?.res?.statusCode;
}

/** One short line. InfluxDB reports errors as JSON. */
function reasonOf(error: unknown): string {
  // If a host name has several addresses, the combined error has no message, only a code.
  const message = error instanceof Error ? error.message || String((error as { code?: string }).code) : String(error);
  const influxError = /"error":"((?:[^"\\]|\\.)*)"/.exec(message)?.[1];
  const status = statusOf(error);
  const line = (influxError === undefined ? message : `${status} ${influxError}`).split('\n')[0]!.trim();
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
