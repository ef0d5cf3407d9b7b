// Time series for dashboards: connections, bytes, packets and findings by workload pair, verdict and placement, written
// to InfluxDB (line protocol 1.x). It never holds up who hands something over: what the server does not take in time
// waits in a bounded queue, and what overflows is dropped and counted.
import { InfluxDB, type IPoint } from 'influx';
import type { Logger } from 'pino';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import { Sums } from './sums.ts';

export type SeriesOptions = {
  url: string;
  database: string;
  username: string;
  password: string;
  maxQueuedPoints: number;
  /** One point a group for each interval. */
  everyMs: number;
};

export type SeriesSink = {
  /** Returns at once. A connection or finding may come again: only what it grew by counts. */
  put(connections: readonly Connection[], findings: readonly Finding[]): void;
  /** `points` were taken by the server, `dropped` were not. */
  counts(): { points: number; dropped: number };
  /** Writes what waits, at most so long. */
  close(patienceMs: number): Promise<void>;
};

const batchPoints = 5_000;
const backoffMs = { first: 500, most: 30_000 };
const complainEveryMs = 60_000;

export class Series implements SeriesSink {
  readonly #options: SeriesOptions;
  readonly #influx: InfluxDB;
  readonly #log: Logger;
  readonly #sums: Sums;
  #queue: IPoint[] = [];
  #points = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = backoffMs.first;
  #complainedMs = 0;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: SeriesOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#sums = new Sums(options.maxQueuedPoints);
    const url = new URL(options.url);
    const https = url.protocol === 'https:';
    this.#influx = new InfluxDB({
      host: url.hostname,
      port: Number(url.port) || (https ? 443 : 8086),
      protocol: https ? 'https' : 'http',
      path: url.pathname === '/' ? '' : url.pathname,
      database: options.database,
      ...(options.username === '' ? {} : { username: options.username, password: options.password }),
    });
    this.#schedule(options.everyMs);
  }

  put(connections: readonly Connection[], findings: readonly Finding[]): void {
    for (const connection of connections) this.#sums.addConnection(connection);
    for (const finding of findings) this.#sums.addFinding(finding);
  }

  counts(): { points: number; dropped: number } {
    return { points: this.#points, dropped: this.#dropped };
  }

  async close(patienceMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#writing;
    this.#collect();
    const deadline = Date.now() + patienceMs;
    while (this.#queue.length > 0 && Date.now() < deadline) if (!(await this.#writeBatch())) break;
    this.#dropped += this.#queue.length;
    this.#queue = [];
  }

  #schedule(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#writing = this.#write();
    }, ms);
    this.#timer.unref();
  }

  async #write(): Promise<void> {
    this.#collect();
    let taken = true;
    while (taken && this.#queue.length > 0 && !this.#closed) taken = await this.#writeBatch();
    this.#schedule(taken ? this.#options.everyMs : this.#retryMs);
    this.#retryMs = taken ? backoffMs.first : Math.min(this.#retryMs * 2, backoffMs.most);
  }

  #collect(): void {
    const { points, dropped } = this.#sums.take(Date.now());
    const room = this.#options.maxQueuedPoints - this.#queue.length;
    this.#queue.push(...points.slice(0, Math.max(0, room)));
    this.#dropped += dropped + Math.max(0, points.length - room);
  }

  async #writeBatch(): Promise<boolean> {
    const batch = this.#queue.slice(0, batchPoints);
    try {
      await this.#influx.writePoints(batch, { precision: 'ms' });
    } catch (error) {
      this.#complain(error);
      return false;
    }
    this.#queue.splice(0, batch.length);
    this.#points += batch.length;
    return true;
  }

  #complain(error: unknown): void {
    const nowMs = Date.now();
    if (nowMs - this.#complainedMs < complainEveryMs) return;
    this.#complainedMs = nowMs;
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    this.#log.warn(
      { url: this.#options.url, why, queued: this.#queue.length, dropped: this.#dropped },
      'time series are not taken: they wait, and what passes series.maxQueuedPoints is dropped',
    );
  }
}
