// Time series for dashboards: connections, bytes, packets and findings by workload pair, verdict and placement, written
// to InfluxDB (line protocol 1.x). It never blocks the caller: points wait in a bounded queue. If the queue is full, the
// oldest points are dropped and counted.
import type { IPoint } from 'influx';
import type { Logger } from 'pino';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import type { ChangeSet } from '../store.ts';
import { InfluxServer, type ServerAddress } from './influx-server.ts';
import { Sums } from './sums.ts';

export type SeriesOptions = ServerAddress & {
  maxQueuedPoints: number;
  /** Connections and findings that are remembered, so that each counts once. An evicted one counts again. */
  maxConnections: number;
  maxFindings: number;
  /** One point for each group and interval. */
  intervalMs: number;
};

export type SeriesSink = {
  /** Returns at once. For a later version of a connection or finding, only the difference counts. */
  put(changes: ChangeSet): void;
  /** Remembers what was put before a restart, so that it does not count twice. */
  restore(connections: readonly Connection[], findings: readonly Finding[]): void;
  /** Points written, and points dropped. */
  counts(): { points: number; dropped: number };
  /** Writes the queued points, for at most `maxWaitMs`. */
  close(maxWaitMs: number): Promise<void>;
};

const maxBatchPoints = 5_000;
const backoffMs = { first: 500, max: 30_000 };
const warnIntervalMs = 60_000;

export class Series implements SeriesSink {
  readonly #options: SeriesOptions;
  readonly #server: InfluxServer;
  readonly #log: Logger;
  readonly #sums: Sums;
  #queue: IPoint[] = [];
  #points = 0;
  #dropped = 0;
  #collectedMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = backoffMs.first;
  #warnedMs = 0;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: SeriesOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    const { maxQueuedPoints, maxConnections, maxFindings } = options;
    this.#sums = new Sums({ maxGroups: maxQueuedPoints, maxConnections, maxFindings });
    this.#server = new InfluxServer(options);
    this.#schedule(options.intervalMs);
  }

  put({ connections, merged, findings }: ChangeSet): void {
    for (const connection of connections) this.#sums.addConnection(connection);
    for (const id of merged) this.#sums.removeConnection(id);
    for (const finding of findings.put) this.#sums.addFinding(finding);
    for (const id of findings.removed) this.#sums.removeFinding(id);
  }

  restore(connections: readonly Connection[], findings: readonly Finding[]): void {
    this.#sums.restore(connections, findings);
  }

  counts(): { points: number; dropped: number } {
    return { points: this.#points, dropped: this.#dropped };
  }

  async close(maxWaitMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    // Aborts a running request that takes too long.
    const timer = setTimeout(() => this.#server.close(), maxWaitMs);
    await this.#writing;
    this.#collect();
    while (this.#queue.length > 0 && (await this.#writeBatch()));
    clearTimeout(timer);
    this.#server.close();
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
    let written = true;
    while (written && this.#queue.length > 0 && !this.#closed) written = await this.#writeBatch();
    this.#schedule(written ? this.#options.intervalMs : this.#retryMs);
    this.#retryMs = written ? backoffMs.first : Math.min(this.#retryMs * 2, backoffMs.max);
  }

  #collect(): void {
    // In InfluxDB, a point of the same group and time replaces the earlier one.
    this.#collectedMs = Math.max(Date.now(), this.#collectedMs + 1);
    const { points, dropped } = this.#sums.take(this.#collectedMs);
    const queue = this.#queue.concat(points);
    const overflow = Math.max(0, queue.length - this.#options.maxQueuedPoints);
    this.#queue = queue.slice(overflow);
    this.#dropped += dropped + overflow;
  }

  /** False if the write must be retried. */
  async #writeBatch(): Promise<boolean> {
    const batch = this.#queue.slice(0, maxBatchPoints);
    const result = await this.#server.write(batch);
    if (result.status === 'unavailable') {
      this.#warn(
        result.reason,
        'InfluxDB unavailable, retrying; the oldest points above series.maxQueuedPoints are dropped',
      );
      return false;
    }
    this.#queue.splice(0, batch.length);
    const refused = result.status === 'refused' ? Math.min(result.points, batch.length) : 0;
    this.#dropped += refused;
    this.#points += batch.length - refused;
    if (result.status === 'refused') this.#warn(result.reason, 'InfluxDB refused points; they are dropped');
    return true;
  }

  #warn(reason: string, event: string): void {
    const nowMs = Date.now();
    if (nowMs - this.#warnedMs < warnIntervalMs) return;
    this.#warnedMs = nowMs;
    const counts = {
      queued: this.#queue.length,
      maxQueued: this.#options.maxQueuedPoints,
      dropped: this.#dropped,
    };
    this.#log.warn({ url: this.#server.url, reason, ...counts }, event);
  }
}
