// Passes the changes of the pipeline to the followers, the time series and the store.
import type { Logger } from 'pino';
import { reasonOf } from '../model/reason.ts';
import type { Change } from './api/api.ts';
import type { Pipeline } from './pipeline.ts';
import type { PendingWrites } from './store/pending-writes.ts';
import type { SeriesSink } from './store/series/series.ts';
import type { ChangeSet, Store } from './store/store.ts';

export type PublishTargets = {
  listeners: ReadonlySet<(change: Change) => void>;
  series: Pick<SeriesSink, 'put'> | undefined;
  pendingWrites: PendingWrites;
  store: Pick<Store, 'write' | 'findingsOf'>;
};

type FindingsPipeline = Pick<Pipeline, 'changes' | 'incompleteFindings' | 'loadFindings' | 'evictFindings'>;

export class Publisher {
  readonly #pipeline: FindingsPipeline;
  readonly #targets: PublishTargets;
  readonly #log: Pick<Logger, 'info' | 'error'>;
  #publishing: Promise<void> = Promise.resolve();
  #storeError: string | undefined;

  constructor(pipeline: FindingsPipeline, targets: PublishTargets, log: Pick<Logger, 'info' | 'error'>) {
    this.#pipeline = pipeline;
    this.#targets = targets;
    this.#log = log;
  }

  /** Calls run one after the other. Never rejects: what the store refuses stays pending and is written by a later call. */
  publish(): Promise<void> {
    this.#publishing = this.#publishing
      .then(() => this.#publishChanges())
      .catch((error: unknown) => this.#log.error({ reason: reasonOf(error) }, 'changes not published'));
    return this.#publishing;
  }

  /** Why the last write failed; undefined after a successful one. */
  get storeError(): string | undefined {
    return this.#storeError;
  }

  async #publishChanges(): Promise<void> {
    const { listeners, series, pendingWrites, store } = this.#targets;
    const readError = await this.#readBack().then(noError, reasonOf);
    const changes = this.#pipeline.changes();
    for (const listener of listeners) for (const change of changesOf(changes)) listener(change);
    series?.put(changes);
    pendingWrites.add(changes);
    const writeError = await pendingWrites.writeTo(store).then(noError, reasonOf);
    if (writeError === undefined) this.#pipeline.evictFindings();
    this.#logStoreError(readError ?? writeError);
  }

  /** Findings that are in the store and not in memory. */
  async #readBack(): Promise<void> {
    const families = this.#pipeline.incompleteFindings();
    if (families.length > 0) this.#pipeline.loadFindings(families, await this.#targets.store.findingsOf(families));
  }

  #logStoreError(reason: string | undefined): void {
    if (reason !== undefined && reason !== this.#storeError) this.#log.error({ reason }, 'store failed, retrying');
    if (reason === undefined && this.#storeError !== undefined) {
      const { waiting, lost } = this.#targets.pendingWrites.counts;
      this.#log.info({ pending: waiting, dropped: lost }, 'store works again');
    }
    this.#storeError = reason;
  }
}

function noError(): undefined {
  return undefined;
}

function* changesOf({ connections, merged, findings }: ChangeSet): Generator<Change> {
  for (const finding of findings.put) yield { type: 'finding', finding };
  for (const id of findings.removed) yield { type: 'gone', of: 'finding', id };
  for (const connection of connections) yield { type: 'connection', connection };
  for (const id of merged) yield { type: 'gone', of: 'connection', id };
}
