// Puts batches until it is killed, and prints each that was acknowledged. The crash test kills it.
import { openDuckdb } from '../../../collector/store/duckdb/duckdb.ts';
import { batch } from './store-suite.ts';

const store = await openDuckdb(JSON.parse(process.argv[2]!));
for (let sequence = 1; sequence < 100_000; sequence++) {
  await store.putBatch(batch(sequence));
  process.stdout.write(`${sequence}\n`);
}
