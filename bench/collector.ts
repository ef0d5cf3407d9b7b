// The throughput and memory of a real collector on a processor of its own, with 10,000 pods and 2,000 policies. Ten
// agents' streams send as fast as it acknowledges: 500,000 records of new connections, then 500,000 records of the same
// connections. Throughput is records per second of processor time until all are decoded, stored, joined and evaluated.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { PacketAccounting } from '../accounting/accounting.ts';
import { BatchQueue } from '../agent/delivery/queue.ts';
import { CollectorStream } from '../agent/delivery/stream.ts';
import { makeCertificates } from '../certs/make.ts';
import { nowUs } from '../cluster/clock.ts';
import { emptyDnsReport } from '../model/dns-answer.ts';
import { printBudgets } from './budget.ts';
import { nodeName, numbers } from './cluster.ts';
import { clusterManifest, type Interval, interfacesOf, nodes, recordsOf } from './collector-load.ts';
import { type RunningCollector, startCollector } from './collector-process.ts';
import { cpuSeconds, memoryMiB } from './process.ts';

const connections = 250_000;
const recordsPerInterval = connections * 2;
const limits = { maxBatchRecords: 5_000, maxQueuedRecords: 10_000_000 };
const maxIntervalMs = 600_000;

type Agent = { queue: BatchQueue; stream: CollectorStream };

const folder = mkdtempSync(join(tmpdir(), 'waybill-collector-'));
const file = (name: string) => join(folder, name);

function startAgent(node: number, ingest: number, watchedSinceUs: number): Agent {
  const queue = new BatchQueue(new PacketAccounting(), limits);
  const state = {
    version: 'bench',
    source: 'ebpf',
    sourceReason: 'bench',
    interfaces: interfacesOf(node, watchedSinceUs),
    accounting: null,
    nodeAddresses: [],
    notWatched: [],
    coverage: null,
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

/** Sends an interval's records through the agents. Resolves when all are stored, joined and evaluated. */
async function play(interval: Interval, agents: readonly Agent[], collector: RunningCollector): Promise<void> {
  const ofNode = agents.map(() => [] as Parameters<BatchQueue['enqueue']>[0][number][]);
  for (const { node, record } of recordsOf(interval)) ofNode[node]!.push(record);
  for (const [node, { queue }] of agents.entries()) queue.enqueue(ofNode[node]!, emptyDnsReport, nowUs());
  const deadline = Date.now() + maxIntervalMs;
  for (;;) {
    for (const { stream } of agents) stream.flush();
    const unacknowledged = agents.reduce((sum, { queue }) => sum + queue.unacknowledged.records, 0);
    if (unacknowledged === 0 && !(await hasPending(collector))) return;
    if (Date.now() > deadline)
      throw new Error(`${unacknowledged} records are not acknowledged after ${maxIntervalMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** A collector that is too busy to answer in time has records pending. */
async function hasPending({ client, hasExited }: RunningCollector): Promise<boolean> {
  const status = await client.get('/v1/status', new URLSearchParams()).catch(() => undefined);
  if (hasExited()) throw new Error('the collector exited');
  return status === undefined || (status.value as { join: { pending: number } }).join.pending > 0;
}

const count = (figure: number) => Math.round(figure).toLocaleString('en');

async function main(): Promise<void> {
  const nodeNames = numbers(nodes).map(nodeName);
  await makeCertificates({ folder, nodes: nodeNames, servers: ['localhost'], days: 1, overwrite: false });
  const collector = await startCollector(folder, clusterManifest());
  try {
    process.stdout.write(`with the cluster only: ${memoryMiB(collector.pid, 'VmRSS').toFixed(0)} MiB resident\n`);
    const startUs = nowUs() - 60_000_000;
    const agents = nodeNames.map((_, node) => startAgent(node, collector.ingest, startUs - 60_000_000));
    let seconds = 0;
    for (const is of ['first', 'further'] as const) {
      const before = cpuSeconds(collector.pid);
      await play({ connections, startUs, is }, agents, collector);
      const intervalSeconds = cpuSeconds(collector.pid) - before;
      seconds += intervalSeconds;
      const kind = is === 'first' ? 'new' : 'known';
      process.stdout.write(
        `records of ${kind} connections: ${count(recordsPerInterval / intervalSeconds)} per second of one processor\n`,
      );
    }
    const [resident, peak] = [memoryMiB(collector.pid, 'VmRSS'), memoryMiB(collector.pid, 'VmHWM')];
    process.stdout.write(`with all records: ${resident.toFixed(0)} MiB resident, ${peak.toFixed(0)} MiB peak\n`);
    for (const { stream } of agents) await stream.close(0);
    const rate = (2 * recordsPerInterval) / seconds;
    printBudgets(
      { name: 'collector-records', figure: rate, unit: '/s', limit: 200_000, better: 'higher' },
      { name: 'collector-memory', figure: peak, unit: 'MiB', limit: 600, better: 'lower' },
    );
  } finally {
    await collector.end();
    rmSync(folder, { recursive: true });
  }
}

await main();
