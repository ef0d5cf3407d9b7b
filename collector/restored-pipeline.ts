// Continues after a restart with what the store has: findings keep their counts, and connections that may still be open are
// joined again.
import type { Connection } from '../model/connection.ts';
import { unconnectedKinds } from './findings/findings.ts';
import type { Pipeline } from './pipeline.ts';
import type { Store, StoredBatch } from './store/store.ts';

/** Batches of this time before the last evaluation are joined again, because their connections may still be open. */
const rejoinWindowUs = 6 * 60 * 1_000_000;
/** A batch of that time may have records of connections that ended somewhat earlier. */
const rejoinMarginUs = 60 * 1_000_000;

/** `knownSinceUs`: from then on, all versions of policies and owners are known. */
export type RestoreOptions = { maxLive: number; maxFindings: number; knownSinceUs: number };

/** Calls `receive` for each batch to join again. Returns the connections, and how many batches were joined. */
export async function restorePipeline(
  pipeline: Pick<Pipeline, 'restore' | 'restored'>,
  store: Pick<Store, 'connections' | 'findings' | 'batchesSince'>,
  { maxLive, maxFindings, knownSinceUs }: RestoreOptions,
  nowUs: number,
  receive: (batch: StoredBatch) => void,
): Promise<{ connections: Connection[]; batches: number }> {
  // The collector may have been down for long, and the latest batches may not be evaluated.
  const [latest] = await store.connections({ last: 1 });
  const sinceUs = Math.min(nowUs, latest?.endUs ?? 0) - rejoinWindowUs;
  const connections = await store.connections({ sinceUs: sinceUs - rejoinMarginUs, last: maxLive });
  const unconnected = await store.findings({ kinds: unconnectedKinds, last: maxFindings });
  pipeline.restore(connections.toReversed(), unconnected, nowUs, knownSinceUs);
  let batches = 0;
  // Above the limit, older connections are not known any more: their records would count a second time.
  const oldestUs = connections.length < maxLive ? 0 : (connections.at(-1)?.endUs ?? 0);
  for await (const batch of store.batchesSince(Math.max(sinceUs, oldestUs))) {
    receive(batch);
    batches += 1;
  }
  pipeline.restored();
  return { connections, batches };
}
