// Time series for dashboards: connections, bytes, packets and findings by workload pair, verdict and placement, written
// to InfluxDB (line protocol 1.x). It never holds up who hands something over: what the server does not take in time
// waits in a bounded queue, and what overflows is dropped, oldest first, and counted.
import type { IPoint } from 'influx';
import type { Logger } from 'pino';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import type { Judged } from '../store.ts';
import { InfluxServer, type ServerAddress } from './influx-server.ts';
import { Sums } from './sums.ts';

export type SeriesOptions = ServerAddress & {
  maxQueuedPoints: number;
  /** So many are remembered, so that each counts once; what is forgotten and comes again counts again. */
  maxConnections: number;
  maxFindings: number;
  /** One point a group for each interval. */
  everyMs: number;
};

export type SeriesSink = {
  /** Returns at once. A connection or finding may come again: only what it grew by counts. */
  put(changes: Judged): void;
  /** What was put before a restart: it counts no second time. */
  restore(connections: readonly Connection[], findings: readonly Finding[]): void;
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
  readonly #server: InfluxServer;
  readonly #log: Logger;
  readonly #sums: Sums;
  #queue: IPoint[] = [];
  #points = 0;
  #dropped = 0;
  #takenMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = backoffMs.first;
  #complainedMs = 0;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: SeriesOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    const { maxQueuedPoints, maxConnections, maxFindings } = options;
    this.#sums = new Sums({ groups: maxQueuedPoints, connections: maxConnections, findings: maxFindings });
    this.#server = new InfluxServer(options);
    this.#schedule(options.everyMs);
  }

  put({ connections, dropped, findings }: Judged): void {
    for (const connection of connections) this.#sums.addConnection(connection);
    for (const id of dropped) this.#sums.takeBackConnection(id);
    for (const finding of findings.put) this.#sums.addFinding(finding);
    for (const id of findings.removed) this.#sums.takeBackFinding(id);
  }

  restore(connections: readonly Connection[], findings: readonly Finding[]): void {
    this.#sums.know(connections, findings);
  }

  counts(): { points: number; dropped: number } {
    return { points: this.#points, dropped: this.#dropped };
  }

  async close(patienceMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    // Ends the request that is under way, if need be.
    const patience = setTimeout(() => this.#server.close(), patienceMs);
    await this.#writing;
    this.#collect();
    while (this.#queue.length > 0 && (await this.#writeBatch()));
    clearTimeout(patience);
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
    let taken = true;
    while (taken && this.#queue.length > 0 && !this.#closed) taken = await this.#writeBatch();
    this.#schedule(taken ? this.#options.everyMs : this.#retryMs);
    this.#retryMs = taken ? backoffMs.first : Math.min(this.#retryMs * 2, backoffMs.most);
  }

  #collect(): void {
    // A later point of the same group and time would replace the earlier one.
    this.#takenMs = Math.max(Date.now(), this.#takenMs + 1);
    const { points, dropped } = this.#sums.take(this.#takenMs);
    const queue = this.#queue.concat(points);
    const over = Math.max(0, queue.length - this.#options.maxQueuedPoints);
    this.#queue = queue.slice(over);
    this.#dropped += dropped + over;
  }

  /** False where it is to be tried again later. */
  async #writeBatch(): Promise<boolean> {
    const batch = this.#queue.slice(0, batchPoints);
    const answer = await this.#server.write(batch);
    if (answer.is === 'away') {
      this.#complain(answer.why, 'time series are not taken: they wait, and the oldest give way');
      return false;
    }
    this.#queue.splice(0, batch.length);
    const refused = answer.is === 'refused' ? Math.min(answer.points, batch.length) : 0;
    this.#dropped += refused;
    this.#points += batch.length - refused;
    if (answer.is === 'refused') this.#complain(answer.why, 'time series are refused: they are dropped');
    return true;
  }

  #complain(why: string, what: string): void {
    const nowMs = Date.now();
    if (nowMs - this.#complainedMs < complainEveryMs) return;
    this.#complainedMs = nowMs;
    const counts = { queued: this.#queue.length, most: this.#options.maxQueuedPoints, dropped: this.#dropped };
    this.#log.warn({ url: this.#server.url, why, ...counts }, `${what} (series.maxQueuedPoints)`);
  }
}
