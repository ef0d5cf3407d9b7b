import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { DuckDBInstance } from '@duckdb/node-api';
import t, { type Test } from 'tap';
import { openDuckdb } from '../../../collector/store/duckdb/duckdb.ts';
import { tables } from '../../../collector/store/duckdb/schema.ts';
import { ProblemError } from '../../../model/problem.ts';
import { connection } from '../../scene/connections.ts';
import { record, second, t0 } from '../../scene/records.ts';
import { batch, finding, storeSuite } from './store-suite.ts';

const hourMs = 3_600_000;

function options(t: Test, change: { maxBytes?: number } = {}) {
  const path = `${t.testdir()}/waybill.duckdb`;
  return { path, memoryLimitBytes: 256 * 2 ** 20, maxAgeMs: hourMs, maxBytes: change.maxBytes ?? 2 ** 34 };
}

storeSuite(t, async (t) => {
  const same = options(t);
  return () => openDuckdb(same);
});

t.test('the verdict of the declared policies is stored under its name of 0.1.0', async (t) => {
  const same = options(t);
  const store = await openDuckdb(same);
  await store.write({ connections: [connection({ id: 'c1', declaredVerdict: 'denied' }), connection({ id: 'c2' })] });
  t.same((await store.connections({ last: 10 })).map(({ id, declaredVerdict }) => [id, declaredVerdict]).toSorted(), [
    ['c1', 'denied'],
    ['c2', undefined],
  ]);
  await store.close();
  const instance = await DuckDBInstance.create(same.path);
  const reader = await (await instance.connect()).runAndReadAll(
    "SELECT id, body->>'$.elsewhere' FROM connections ORDER BY id",
  );
  t.same(reader.getRows(), [
    ['c1', 'denied'],
    ['c2', null],
  ]);
  instance.closeSync();
});

/** Runs statements in the file of a store that is closed. */
async function inFile(path: string, ...statements: string[]): Promise<void> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  for (const statement of statements) await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
}

t.test('if the store refuses the batches of one agent, those of the others are stored', async (t) => {
  const same = options(t);
  const batches = tables.find((table) => table.includes('EXISTS batches'))!;
  await inFile(same.path, batches.replace('node VARCHAR NOT NULL', "node VARCHAR NOT NULL CHECK (node <> 'bad')"));
  const store = await openDuckdb(same);
  const results = await Promise.allSettled(
    ['n1', 'bad', 'n2', 'bad', 'n3'].map((node, i) => store.putBatch(batch(i + 1, { node }))),
  );
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
  );
  t.equal((await store.totals()).batches, 3);
  t.equal(await store.putBatch(batch(1, { node: 'n1' })), false, 'it is known as stored');
  await store.close();
});

t.test('stored rows that nobody can read are skipped and counted once', async (t) => {
  const same = options(t);
  const first = await openDuckdb(same);
  await first.write({ connections: ['good', 'early', 'late', 'broken', 'other'].map((id) => connection({ id })) });
  await first.write({ findings: ['good', 'early', 'broken'].map((id) => finding({ id })) });
  await first.putBatch(batch(1, { records: [record({ beganUs: t0 - 2 ** 60 })] }));
  await first.putBatch(batch(2));
  await first.close();
  await inFile(
    same.path,
    `UPDATE connections SET body = replace(body, '"startUs":${t0}', '"startUs":-9223372036854775808') WHERE id = 'early'`,
    `UPDATE connections SET body = replace(body, '"endUs":', '"endUs":1e30,"was":') WHERE id = 'late'`,
    `UPDATE connections SET body = '{' WHERE id = 'broken'`,
    `UPDATE findings SET body = replace(body, '"firstSeenUs":${t0}', '"firstSeenUs":null') WHERE id = 'early'`,
    `UPDATE findings SET body = 'null' WHERE id = 'broken'`,
  );
  const skipped: string[] = [];
  const store = await openDuckdb({ ...same, onUnreadable: (row) => skipped.push(row) });
  t.teardown(() => store.close());
  for (let reads = 0; reads < 2; reads++) {
    t.same((await store.connections({ last: 10 })).map(({ id }) => id).sort(), ['good', 'other']);
    t.same((await store.connections({ last: 10, ports: [5432] })).map(({ id }) => id).sort(), ['good', 'other']);
    for (const query of [{}, { fromPods: ['shop/web'] }, { ports: [5432] }, { namespaces: ['shop'] }])
      t.same(
        (await store.findings({ last: 10, ...query })).map(({ id }) => id),
        ['good'],
      );
    const sequences: number[] = [];
    for await (const one of store.batchesSince(0)) sequences.push(one.sequence);
    t.same(sequences, [2]);
  }
  t.same(skipped.toSorted(), [
    'batch 1 of n1, instance one',
    'connection broken',
    'connection early',
    'connection late',
    'finding broken',
    'finding early',
  ]);
  t.equal((await store.totals()).unreadable, 6);
});

t.test('every acknowledged batch is stored after the program is killed', async (t) => {
  const same = options(t);
  const child = spawn(process.execPath, [new URL('put-batches.ts', import.meta.url).pathname, JSON.stringify(same)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let acknowledged = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (acknowledged >= 50) break;
  }
  child.kill('SIGKILL');
  await once(child, 'exit');
  const store = await openDuckdb(same);
  for (let sequence = 1; sequence <= acknowledged; sequence++) {
    t.equal(await store.putBatch(batch(sequence)), false, `batch ${sequence} was on disk`);
  }
  await store.close();
});

t.test('the oldest data is deleted until the size limit is met', async (t) => {
  const store = await openDuckdb(options(t, { maxBytes: 3 * 2 ** 20 }));
  for (let sequence = 1; sequence <= 60; sequence++) {
    const records = Array.from({ length: 4000 }, (_, i) =>
      record({ initiatorPort: i, lastUs: t0 + sequence * second, packets: { forward: i * 7919, reverse: i } }),
    );
    await store.putBatch(batch(sequence, { records }));
  }
  await store.applyRetention(t0 + 60 * second);
  const kept: number[] = [];
  for await (const one of store.batchesSince(0)) kept.push(one.sequence);
  t.ok(kept.length > 0 && kept.length < 60, `${kept.length} of 60 are kept`);
  t.equal(kept.at(-1), 60);
  await store.close();
});

t.test('a file that is not a Waybill store is reported in one line', async (t) => {
  const same = options(t);
  await writeFile(same.path, 'this is no database, it is long enough to look like one'.repeat(100));
  const error = await openDuckdb(same).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  t.ok(error instanceof ProblemError);
  t.match(String(error), /store-unusable: store\.path .*: .*; set a writable path/);
  t.notMatch(String(error), /\n/);
});
