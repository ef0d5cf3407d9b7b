// The agent's stream and the collector's ingest over real TLS on loopback.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { PacketAccounting } from '../../../accounting/accounting.ts';
import { BatchQueue } from '../../../agent/delivery/queue.ts';
import { CollectorStream } from '../../../agent/delivery/stream.ts';
import { makeCertificates } from '../../../certs/make.ts';
import { readTlsCredentials, type TlsCredentials } from '../../../certs/read.ts';
import { ClusterHistory } from '../../../collector/identity/cluster-history.ts';
import { Agents } from '../../../collector/ingest/agents.ts';
import { type IngestedBatch, serveIngest } from '../../../collector/ingest/ingest.ts';
import { NodeClaims } from '../../../collector/ingest/node-claims.ts';
import { emptyDnsReport } from '../../../model/dns-answer.ts';
import { ip, record, t0 } from '../../scene/records.ts';
import { until } from '../../scene/until.ts';

const log = pino({ level: 'silent' });
const state = {
  version: '',
  source: 'pcap',
  sourceReason: '',
  interfaces: [],
  accounting: null,
  nodeAddresses: [],
  notWatched: [],
  coverage: null,
};

async function collector(folder: string, listen: string) {
  const joined: IngestedBatch[] = [];
  const tls = readTlsCredentials({
    ca: `${folder}/ca.crt`,
    cert: `${folder}/collector.crt`,
    key: `${folder}/collector.key`,
  });
  const options = { listen, tls, maxBatchRecords: 100, maxAgents: 10, maxAgentRate: 10_000, nowUs: () => t0 };
  const running = await serveIngest(
    options,
    new Agents(new NodeClaims(new ClusterHistory())),
    { store: async () => true, process: (batch) => joined.push(batch) },
    log,
  );
  return { ...running, joined };
}

async function scene(t: Test) {
  const folder = t.testdir();
  await makeCertificates({ folder, nodes: ['n1'], servers: ['localhost'], days: 1, overwrite: false });
  const first = await collector(folder, 'localhost:0');
  const queue = new BatchQueue(new PacketAccounting(), { maxBatchRecords: 100, maxQueuedRecords: 100 });
  let connections = 0;
  const stream = new CollectorStream(
    {
      node: 'n1',
      instance: 'one',
      address: `localhost:${first.port}`,
      tls: readTlsCredentials({
        ca: `${folder}/ca.crt`,
        cert: `${folder}/agent-n1.crt`,
        key: `${folder}/agent-n1.key`,
      }),
      nowUs: () => t0,
      state: () => state,
      onConnected: () => {
        connections += 1;
      },
    },
    queue,
    log,
  );
  t.teardown(() => stream.close(0));
  return { folder, first, queue, stream, connections: () => connections };
}

t.test('names arrive with the records of their batch and are acknowledged with them', async (t) => {
  const { first, queue, stream } = await scene(t);
  t.teardown(() => first.stop());
  const names = [{ name: 'www.example', address: ip('203.0.113.9'), atUs: t0, ttlSeconds: 300 }];
  queue.enqueue([record()], { ...emptyDnsReport, answers: names }, t0);
  queue.enqueue([], { ...emptyDnsReport, answers: names }, t0);
  await until('both are acknowledged', () => {
    stream.flush();
    return queue.unacknowledged.batches === 0;
  });
  t.same(
    first.joined.map((batch) => [batch.records.length, batch.dns.answers]),
    [
      [1, names],
      [0, names],
    ],
  );
});

t.test('onConnected is called once for each stream, because the collector may have restarted', async (t) => {
  const { folder, first, stream, connections } = await scene(t);
  await until('the first collector accepts the stream', () => connections() === 1);
  stream.flush();
  stream.flush();
  await first.stop();
  const second = await collector(folder, `localhost:${first.port}`);
  t.teardown(() => second.stop());
  await until('the second collector accepts the stream', () => connections() === 2);
  t.equal(connections(), 2);
});

type Line = { msg: string; address: string; reason: string; fix: string };

/** Opens an agent's stream; returns the lines that it logs. */
function linesLogged(t: Test, node: string, port: number, tls: TlsCredentials): Line[] {
  const lines: Line[] = [];
  const stream = new CollectorStream(
    {
      node,
      instance: 'two',
      address: `localhost:${port}`,
      tls,
      nowUs: () => t0,
      state: () => state,
      onConnected: () => t.fail('the collector must refuse the stream'),
    },
    new BatchQueue(new PacketAccounting(), { maxBatchRecords: 100, maxQueuedRecords: 100 }),
    pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line)) }),
  );
  t.teardown(() => stream.close(0));
  return lines;
}

t.test('an agent with the certificate of another node is refused, and logs it once', async (t) => {
  const { folder, first } = await scene(t);
  t.teardown(() => first.stop());
  const tls = readTlsCredentials({
    ca: `${folder}/ca.crt`,
    cert: `${folder}/agent-n1.crt`,
    key: `${folder}/agent-n1.key`,
  });
  const lines = linesLogged(t, 'n2', first.port, tls);
  await until('it is refused three times', () => first.streamsRefused() >= 3);
  const fix = 'set tls.cert and tls.key to the certificate of this node';
  const msg = 'collector unreachable, retrying';
  t.match(lines, [{ msg, address: `localhost:${first.port}`, reason: 'the certificate names node n1', fix }]);
  t.equal(lines.length, 1);
  t.same(first.joined, []);
});

t.test('an agent with a certificate of another authority logs it once, although gRPC’s text changes', async (t) => {
  const folder = t.testdir({ other: {} });
  const made = { nodes: ['n1'], servers: ['localhost'], days: 1, overwrite: false };
  await makeCertificates({ ...made, folder });
  await makeCertificates({ ...made, folder: `${folder}/other` });
  const of = (file: string) => readFileSync(`${folder}/${file}`);
  const server = createServer({
    ca: of('ca.crt'),
    cert: of('collector.crt'),
    key: of('collector.key'),
    requestCert: true,
    ALPNProtocols: ['h2'],
  });
  let attempts = 0;
  server.on('connection', () => {
    attempts += 1;
  });
  await once(server.listen(0, 'localhost'), 'listening');
  t.teardown(() => server.close());
  const tls = { ca: of('ca.crt'), cert: of('other/agent-n1.crt'), key: of('other/agent-n1.key') };
  const lines = linesLogged(t, 'n1', (server.address() as AddressInfo).port, tls);
  await until('it has tried four times', () => attempts >= 4);
  t.match(lines, [
    { reason: /^the collector closed the connection, probably because it/, fix: /^set tls\.cert and tls\.key/ },
  ]);
  t.equal(lines.length, 1);
});
