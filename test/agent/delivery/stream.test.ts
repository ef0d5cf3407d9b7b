// The agent's stream and the collector's ingest over real TLS on loopback.
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { BatchQueue } from '../../../agent/delivery/queue.ts';
import { CollectorStream } from '../../../agent/delivery/stream.ts';
import { Books } from '../../../books/books.ts';
import { makeCertificates } from '../../../certs/make.ts';
import { readTls } from '../../../certs/read.ts';
import { Agents } from '../../../collector/ingest/agents.ts';
import { type IngestedBatch, ingest } from '../../../collector/ingest/ingest.ts';
import { ip, record, t0 } from '../../scene/records.ts';
import { until } from '../../scene/until.ts';

const log = pino({ level: 'silent' });
const state = {
  version: '',
  source: 'pcap',
  sourceReason: '',
  interfaces: [],
  books: null,
  nodeAddresses: [],
  notWatched: [],
};

async function collector(folder: string, listen: string) {
  const joined: IngestedBatch[] = [];
  const tls = readTls({ ca: `${folder}/ca.crt`, cert: `${folder}/collector.crt`, key: `${folder}/collector.key` });
  const options = { listen, tls, maxBatchRecords: 100, maxAgents: 10, nowUs: () => t0 };
  const running = await ingest(
    options,
    new Agents(),
    { keep: async () => true, join: (batch) => joined.push(batch) },
    log,
  );
  return { ...running, joined };
}

async function scene(t: Test) {
  const folder = t.testdir();
  await makeCertificates({ folder, nodes: ['n1'], servers: ['localhost'], days: 1, overwrite: false });
  const first = await collector(folder, 'localhost:0');
  const queue = new BatchQueue(new Books(), { maxBatchRecords: 100, maxQueuedRecords: 100 });
  let taken = 0;
  const stream = new CollectorStream(
    {
      node: 'n1',
      instance: 'one',
      address: `localhost:${first.port}`,
      tls: readTls({ ca: `${folder}/ca.crt`, cert: `${folder}/agent-n1.crt`, key: `${folder}/agent-n1.key` }),
      nowUs: () => t0,
      state: () => state,
      taken: () => {
        taken += 1;
      },
    },
    queue,
    log,
  );
  t.teardown(() => stream.close(0));
  return { folder, first, queue, stream, taken: () => taken };
}

t.test('names come with the records of their batch and are acknowledged with them', async (t) => {
  const { first, queue, stream } = await scene(t);
  t.teardown(() => first.stop());
  const names = [{ name: 'www.example', address: ip('203.0.113.9'), atUs: t0, ttlSeconds: 300 }];
  queue.put([record()], names, t0);
  queue.put([], names, t0);
  await until('both are acknowledged', () => {
    stream.flush();
    return queue.unacknowledged.batches === 0;
  });
  t.same(
    first.joined.map((batch) => [batch.records.length, batch.names]),
    [
      [1, names],
      [0, names],
    ],
  );
});

t.test('it says that a collector has taken it in once for each stream: the next one may know nothing', async (t) => {
  const { folder, first, stream, taken } = await scene(t);
  await until('the first takes it in', () => taken() === 1);
  stream.flush();
  stream.flush();
  await first.stop();
  const second = await collector(folder, `localhost:${first.port}`);
  t.teardown(() => second.stop());
  await until('the second takes it in', () => taken() === 2);
  t.equal(taken(), 2);
});
