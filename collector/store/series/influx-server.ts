// One InfluxDB, or what speaks its line protocol 1.x: writes a batch, and makes the database where it is not there yet.
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { InfluxDB, type IPoint } from 'influx';

/** Credentials in the URL count where `username` is empty. */
export type ServerAddress = { url: string; database: string; username: string; password: string };

/** `refused`: so many points will never be taken, and the rest was. `unavailable`: none was, and all may be later. */
export type WriteResult =
  | { status: 'accepted' }
  | { status: 'refused'; points: number; why: string }
  | { status: 'unavailable'; why: string };

const requestTimeoutMs = 10_000;
/** The library would leave a server that failed alone, and say so in place of the reason: when to try again is ours. */
const noBackoff = { getDelay: () => 0, next: () => noBackoff, reset: () => noBackoff };

export class InfluxServer {
  /** To be shown: without credentials. */
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
      if (statusOf(error) !== 400 && statusOf(error) !== 413) return { status: 'unavailable', why: reasonOf(error) };
      const dropped = /dropped=(\d+)/.exec(reasonOf(error));
      return { status: 'refused', points: dropped === null ? points.length : Number(dropped[1]), why: reasonOf(error) };
    }
  }

  /** Whatever is under way fails at once. */
  close(): void {
    this.#closed.reject(new Error('the collector ends'));
    this.#agent.destroy();
  }

  async #createDatabaseAndWrite(points: readonly IPoint[]): Promise<WriteResult> {
    try {
      await this.#withTimeout(this.#influx.createDatabase(this.#database));
    } catch (error) {
      return {
        status: 'unavailable',
        why: `database ${this.#database} is not there and cannot be made: ${reasonOf(error)}`,
      };
    }
    // Made, and still not there: that is no reason to make it for ever.
    return this.#withTimeout(this.#influx.writePoints([...points], { precision: 'ms' })).then(
      () => ({ status: 'accepted' }),
      (error: unknown) => ({ status: 'unavailable', why: reasonOf(error) }),
    );
  }

  /** The library waits for ever where a server ends in the middle of its answer. */
  #withTimeout<Value>(request: Promise<Value>): Promise<Value> {
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => timeout.reject(new Error('it did not answer in time')), requestTimeoutMs + 1_000);
    return Promise.race([request, timeout.promise, this.#closed.promise]).finally(() => clearTimeout(timer));
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { res?: { statusCode?: number } } | undefined)?.res?.statusCode;
}

/** One line, and short. InfluxDB says in JSON what is wrong. */
function reasonOf(error: unknown): string {
  // Where a name has several addresses, the error of all of them has no words of its own.
  const message = error instanceof Error ? error.message || String((error as { code?: string }).code) : String(error);
  const influxError = /"error":"((?:[^"\\]|\\.)*)"/.exec(message)?.[1];
  const status = statusOf(error);
  const line = (influxError === undefined ? message : `${status} ${influxError}`).split('\n')[0]!.trim();
  return line.length > 300 ? `${line.slice(0, 299)}…` : line;
}
