// Findings of a running collector: a scan, an eviction, a kill and a restart change no count, and a follower hears of
// every finding that is gone.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { PacketAccounting } from '../../accounting/accounting.ts';
import { BatchQueue } from '../../agent/delivery/queue.ts';
import { CollectorStream } from '../../agent/delivery/stream.ts';
import { makeCertificates } from '../../certs/make.ts';
import { readTlsCredentials } from '../../certs/read.ts';
import { emptyDnsReport } from '../../model/dns-answer.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { freePort } from '../scene/free-port.ts';
import { ingressPolicy, podManifest, shop } from '../scene/pipeline.ts';
import { Program, runWaybill } from '../scene/programs.ts';
import { answered, ip, record } from '../scene/records.ts';
import { until } from '../scene/until.ts';

const nowUs = () => Date.now() * 1000;
const maxWaitMs = 60_000;
const maxSent = 800;
const jobs = Array.from({ length: 30 }, (_, i) => ({ name: `job${i}`, ip: `10.0.1.${100 + i}`, index: 100 + i }));
const webLink = { name: 'web', ip: '10.0.1.2', index: 7 };

const folder = t.testdir();
await makeCertificates({ folder, nodes: ['n1'], servers: ['localhost'], days: 1, overwrite: false });
mkdirSync(`${folder}/manifests`);
const pods = [...jobs.map((job) => podManifest(job.name, 'n1', job.ip)), podManifest('api', 'n2', '10.0.2.4')];
writeFileSync(
  `${folder}/manifests/all.yaml`,
  [shop, ...pods, ingressPolicy('db', 'nobody'), ingressPolicy('api', 'web')].join('\n---\n'),
);
const [ingestPort, apiPort] = [await freePort(), await freePort()];
const env = {
  WAYBILL_COLLECTOR: `https://localhost:${apiPort}`,
  WAYBILL_TLS_CA: `${folder}/ca.crt`,
  WAYBILL_TLS_CERT: `${folder}/client.crt`,
  WAYBILL_TLS_KEY: `${folder}/client.key`,
};

function startCollector(t: Test): Promise<Program> {
  const settings = {
    'cluster-manifests': `${folder}/manifests`,
    'findings-max': '100',
    'ingest-listen': `127.0.0.1:${ingestPort}`,
    'api-listen': `127.0.0.1:${apiPort}`,
    'health-listen': '127.0.0.1:0',
    'tls-ca': `${folder}/ca.crt`,
    'tls-cert': `${folder}/collector.crt`,
    'tls-key': `${folder}/collector.key`,
    'store-path': `${folder}/store/waybill.duckdb`,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return Program.start(t, 'collector', flags, {});
}

/** The agent of n1, without a kernel. */
function startAgent(t: Test): { send(...records: ConnectionRecord[]): void } {
  const watchedSinceUs = nowUs() - 60_000_000;
  const interfaces = [webLink, ...jobs].map(({ name, ip: address, index }) => ({
    index,
    name: `veth${index}`,
    podUid: `uid-${name}`,
    addresses: [address],
    watchedSinceUs,
    seesFromPod: true,
    seesToPod: true,
    goneUs: 0,
    gapFreeSinceUs: 0,
  }));
  const state = {
    version: '',
    source: 'ebpf',
    sourceReason: '',
    interfaces,
    accounting: null,
    nodeAddresses: [],
    notWatched: [],
  };
  const queue = new BatchQueue(new PacketAccounting(), { maxBatchRecords: 1000, maxQueuedRecords: 10_000 });
  const stream = new CollectorStream(
    {
      node: 'n1',
      instance: randomUUID(),
      address: `localhost:${ingestPort}`,
      tls: readTlsCredentials({
        ca: `${folder}/ca.crt`,
        cert: `${folder}/agent-n1.crt`,
        key: `${folder}/agent-n1.key`,
      }),
      nowUs,
      state: () => state,
      onConnected: () => undefined,
    },
    queue,
    pino({ level: 'silent' }),
  );
  const timer = setInterval(() => {
    queue.enqueue([], emptyDnsReport, nowUs());
    stream.flush();
  }, 100);
  t.teardown(async () => {
    clearInterval(timer);
    await stream.close(0);
  });
  return { send: (...records) => queue.enqueue(records, emptyDnsReport, nowUs()) };
}

let ports = 1024;
/** A new connection that begins now. */
function connects(from: { ip: string; index: number }, responderPort: number): ConnectionRecord {
  const now = nowUs();
  const times = { beganUs: now, firstUs: now, lastUs: now };
  ports += 1;
  return answered({
    ...times,
    initiator: ip(from.ip),
    interfaceIndex: from.index,
    initiatorPort: ports,
    responderPort,
  });
}

async function ask<Item>(verb: string, ...args: string[]): Promise<Item[]> {
  const { code, out, err } = await runWaybill([verb, '-o', 'json', ...args], { env });
  if (code !== 0) throw new Error(err);
  return JSON.parse(out) as Item[];
}

const bypasses = () => ask<FindingJson>('findings', '--kind', 'bypass');
const countOf = (findings: readonly FindingJson[]) => findings.reduce((sum, one) => sum + one.connections, 0);

function follow(t: Test): { lines: (FindingJson & { gone?: boolean })[]; child: ChildProcess } {
  const args = [new URL('../../cli/waybill.ts', import.meta.url).pathname, 'findings', '--follow', '-o', 'jsonl'];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: (FindingJson & { gone?: boolean })[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(JSON.parse(line)));
  t.teardown(() => child.kill());
  return { lines, child };
}

t.test('a scan, an eviction, a kill and a restart change no count', async (t) => {
  const first = await startCollector(t);
  const agent = startAgent(t);
  for (let port = 1; port <= 300; port++) agent.send(connects(webLink, port));
  for (const job of jobs) for (let port = 1; port <= 5; port++) agent.send(connects(job, port));
  await until('all are counted', async () => countOf(await bypasses()) === 450, maxWaitMs);
  const before = await bypasses();
  t.equal(before.length, 151);
  const scan = before.find(({ ports }) => ports !== undefined)!;
  t.match(scan, { severity: 'critical', connections: 300, initiator: { workload: 'web' }, ports: { count: 300 } });
  t.same(
    scan.ports!.first,
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  const flows = await ask<ConnectionJson>('flows', '--from-pod', 'shop/web', '--last', '1000');
  t.equal(flows.length, 300);
  t.ok(
    flows.every(({ finding }) => finding === scan.id),
    'each connection names the finding that counts it',
  );
  const short = await ask<FindingJson>('findings', '--kind', 'bypass', '--last', '31');
  t.equal(new Set(short.map(({ initiator }) => initiator.workload)).size, 31, 'a short list has every initiator');

  // The store has everything now.
  await first.kill();
  await startCollector(t);
  t.same(await bypasses(), before, 'a kill and a restart change nothing');

  const following = follow(t);
  await until('it follows', () => following.lines.length === 20, maxWaitMs);
  agent.send(connects(webLink, 1), connects(webLink, 301), ...jobs.map((job) => connects(job, 1)));
  await until('all are counted', async () => countOf(await bypasses()) === 482, maxWaitMs);
  const after = new Map((await bypasses()).map((one) => [one.id, one]));
  t.equal(after.size, 151);
  t.match(after.get(scan.id), { connections: 302, ports: { count: 301 }, firstSeen: scan.firstSeen });
  for (const one of before) {
    const expected = one.port === 1 ? 2 : one.connections;
    if (one.ports === undefined)
      t.match(
        after.get(one.id),
        { connections: expected, firstSeen: one.firstSeen },
        `${one.initiator.workload} ${one.port}`,
      );
  }

  const now = nowUs();
  const syn = { responder: ip('10.0.2.4'), beganUs: now, firstUs: now, lastUs: now };
  agent.send(record({ ...syn, synRetries: 1 }));
  await until('it is broken', () => following.lines.some(({ kind }) => kind === 'broken'), maxWaitMs);
  agent.send(answered({ ...syn, firstUs: nowUs(), lastUs: nowUs() }));
  const { id } = following.lines.find(({ kind }) => kind === 'broken')!;
  await until('it is gone', () => following.lines.some((line) => line.id === id && line.gone === true), maxWaitMs);
  t.same(await ask('findings', '--kind', 'broken'), []);
  t.equal(following.lines.filter(({ gone }) => gone).length, 1);
});

t.test('kills at any moment change no count', async (t) => {
  let collector = await startCollector(t);
  const agent = startAgent(t);
  const before = countOf(await bypasses());
  let sent = 0;
  const timer = setInterval(() => {
    // A busy machine takes long to start a collector, and then to count what came meanwhile.
    if (sent >= maxSent) return;
    for (let i = 0; i < 20; i++) {
      agent.send(
        i % 4 === 0 ? connects(webLink, 1 + (sent % 900)) : connects(jobs[sent % jobs.length]!, 1 + (sent % 5)),
      );
      sent += 1;
    }
  }, 100);
  t.teardown(() => clearInterval(timer));
  for (let kills = 0; kills < 2; kills++) {
    await new Promise((resolve) => setTimeout(resolve, 500 + 400 * kills));
    await collector.kill();
    collector = await startCollector(t);
  }
  clearInterval(timer);
  await until('all are counted', async () => countOf(await bypasses()) >= before + sent, maxWaitMs);
  const found = await bypasses();
  t.equal(countOf(found), before + sent);
  const flows = Map.groupBy(await ask<ConnectionJson>('flows', '--last', '10000'), ({ finding }) => finding);
  for (const { id, connections } of found) t.equal(flows.get(id)?.length, connections, `the connections of ${id}`);
});
