// What the collector takes: a real one on a processor of its own, with 10,000 pods and 2,000 policies, and ten agents' own
// streams that send as fast as it acknowledges: 500,000 records of connections that begin, then as many of the same
// connections later. Records over the processor's time until everything is decoded, stored, joined and judged; and its
// memory then.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { PacketAccounting } from '../accounting/accounting.ts';
import { BatchQueue } from '../agent/delivery/queue.ts';
import { CollectorStream } from '../agent/delivery/stream.ts';
import { makeCertificates } from '../certs/make.ts';
import { CollectorClient } from '../cli/collector-client.ts';
import { nowUs } from '../cluster/clock.ts';
import { budgetLine } from './budget.ts';
import { clusterManifest, type Interval, interfacesOf, nodeName, nodes, recordsOf } from './collector-cluster.ts';
import { cpuSeconds, memoryMiB } from './process.ts';

const connections = 250_000;
const recordsAnInterval = connections * 2;
const limits = { maxBatchRecords: 5_000, maxQueuedRecords: 10_000_000 };
const patienceMs = 600_000;

type Agent = { queue: BatchQueue; stream: CollectorStream };
type Running = { pid: number; ingest: number; client: CollectorClient; end: () => Promise<void> };

const folder = mkdtempSync(join(tmpdir(), 'waybill-collector-'));
const file = (name: string) => join(folder, name);

async function startCollector(): Promise<Running> {
  writeFileSync(file('cluster.json'), clusterManifest());
  const anyPort = { listen: '127.0.0.1:0' };
  const config = {
    cluster: { manifests: file('cluster.json') },
    ingest: anyPort,
    api: anyPort,
    health: anyPort,
    tls: { ca: file('ca.crt'), cert: file('collector.crt'), key: file('collector.key') },
    store: { path: file('store/waybill.duckdb') },
  };
  writeFileSync(file('collector.yaml'), stringify(config));
  const core = String(availableParallelism() - 1);
  const waybill = new URL('../cli/waybill.ts', import.meta.url).pathname;
  const words = ['-c', core, process.execPath, waybill, 'collector', '--config', file('collector.yaml')];
  const child = spawn('taskset', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ports = await portsOf(child.stdout);
  const [ca, cert, key] = [file('ca.crt'), file('client.crt'), file('client.key')];
  return {
    pid: child.pid!,
    ingest: ports.ingest,
    client: new CollectorClient({ collector: `https://localhost:${ports.api}`, ca, cert, key }),
    end() {
      child.kill();
      return ended;
    },
  };
}

/** From the log's line that says that it listens; the rest of the log is read, and passed over. */
function portsOf(log: Readable): Promise<{ ingest: number; api: number }> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input: log });
    lines.on('line', (line) => {
      if (line.includes('collector listens')) resolve(JSON.parse(line) as { ingest: number; api: number });
    });
    lines.once('close', () => reject(new Error('the collector did not begin')));
  });
}

function startAgent(node: number, ingest: number, watchedSinceUs: number): Agent {
  const accounting = new PacketAccounting();
  const queue = new BatchQueue(accounting, limits);
  const state = {
    version: 'bench',
    source: 'ebpf',
    sourceReason: 'bench',
    interfaces: interfacesOf(node, watchedSinceUs),
    accounting: null,
    nodeAddresses: [],
    notWatched: [],
  };
  const name = `agent-${nodeName(node)}`;
  const stream = new CollectorStream(
    {
      node: nodeName(node),
      instance: randomUUID(),
      address: `localhost:${ingest}`,
      tls: {
        ca: readFileSync(file('ca.crt')),
        cert: readFileSync(file(`${name}.crt`)),
        key: readFileSync(file(`${name}.key`)),
      },
      nowUs,
      state: () => state,
      onConnected: () => undefined,
    },
    queue,
    pino({ level: 'error' }),
  );
  return { queue, stream };
}

/** Hands an interval's records to the agents, and resolves once all are stored, joined and judged. */
async function play(interval: Interval, agents: readonly Agent[], { client }: Running): Promise<void> {
  const ofNode = agents.map(() => [] as Parameters<BatchQueue['enqueue']>[0][number][]);
  for (const { node, record } of recordsOf(interval)) ofNode[node]!.push(record);
  for (const [node, { queue }] of agents.entries()) queue.enqueue(ofNode[node]!, [], nowUs());
  const deadline = Date.now() + patienceMs;
  for (;;) {
    for (const { stream } of agents) stream.flush();
    const waiting = agents.reduce((sum, { queue }) => sum + queue.unacknowledged.records, 0);
    if (waiting === 0 && (await pending(client)) === 0) return;
    if (Date.now() > deadline) throw new Error(`${waiting} records are not acknowledged after ${patienceMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function pending(client: CollectorClient): Promise<number> {
  const { value } = await client.get('/v1/status', new URLSearchParams());
  return (value as { join: { pending: number } }).join.pending;
}

const count = (figure: number) => Math.round(figure).toLocaleString('en');

async function main(): Promise<void> {
  const nodeNames = Array.from({ length: nodes }, (_, node) => nodeName(node));
  await makeCertificates({ folder, nodes: nodeNames, servers: ['localhost'], days: 1, overwrite: false });
  const collector = await startCollector();
  try {
    process.stdout.write(`with the cluster alone: ${memoryMiB(collector.pid, 'VmRSS').toFixed(0)} MiB resident\n`);
    const startUs = nowUs() - 60_000_000;
    const agents = nodeNames.map((_, node) => startAgent(node, collector.ingest, startUs - 60_000_000));
    let seconds = 0;
    for (const is of ['first', 'further'] as const) {
      const before = cpuSeconds(collector.pid);
      await play({ connections, startUs, is }, agents, collector);
      const took = cpuSeconds(collector.pid) - before;
      seconds += took;
      const what = is === 'first' ? 'of connections that begin' : 'of known connections';
      process.stdout.write(`records ${what}: ${count(recordsAnInterval / took)} a second of one processor\n`);
    }
    const [resident, peak] = [memoryMiB(collector.pid, 'VmRSS'), memoryMiB(collector.pid, 'VmHWM')];
    process.stdout.write(`with all of them: ${resident.toFixed(0)} MiB resident, ${peak.toFixed(0)} MiB at most\n`);
    for (const { stream } of agents) await stream.close(0);
    const rate = (2 * recordsAnInterval) / seconds;
    const budgets = [
      { name: 'collector-records', figure: rate, unit: '/s', limit: 200_000, better: 'higher' as const },
      { name: 'collector-memory', figure: peak, unit: 'MiB', limit: 600, better: 'lower' as const },
    ];
    for (const budget of budgets) process.stdout.write(`${budgetLine(budget)}\n`);
  } finally {
    await collector.end();
    rmSync(folder, { recursive: true });
  }
}

await main();
