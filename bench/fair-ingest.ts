// How long an agent waits for an acknowledgement while another agent floods the collector. The flooding agent sends records
// of new connections as fast as the connection takes them, and ignores acknowledgements. The other one sends ten records
// every 100 ms, as a quiet node does. A real collector, on a processor of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { makeCertificates } from '../certs/make.ts';
import { nowUs } from '../cluster/clock.ts';
import type { ConnectionRecord } from '../model/record.ts';
import { encodeRecords } from '../proto/encode.ts';
import { type Ack, type FlowBatch, flowIngestDefinition, type WireRecords } from '../proto/wire.ts';
import { percentile, printBudgets } from './budget.ts';
import { nodeName, numbers } from './cluster.ts';
import { clusterManifest, interfacesOf, recordsOf } from './collector-load.ts';
import { startCollector } from './collector-process.ts';

const batches = 100;
const batchEveryMs = 100;
const recordsPerBatch = 10;
const floodBatchRecords = 5_000;
const maxWaitMs = 60_000;
const limitS = 0.1;

/** With the arguments `flood FOLDER PORT`, this is the agent that floods: a process of its own, until it is killed. */
const [role, floodFolder, floodPort] = process.argv.slice(2);
const folder = floodFolder ?? mkdtempSync(join(tmpdir(), 'waybill-fair-'));

class Peer {
  readonly node: number;
  readonly #client: Client;
  readonly #call: ClientDuplexStream<FlowBatch, Ack>;
  readonly #acknowledged = new Map<number, () => void>();
  #sequence = 0;
  #closed = false;

  constructor(node: number, port: number) {
    this.node = node;
    const read = (name: string) => readFileSync(join(folder, name));
    const [cert, key] = [read(`agent-${nodeName(node)}.crt`), read(`agent-${nodeName(node)}.key`)];
    this.#client = new Client(`localhost:${port}`, credentials.createSsl(read('ca.crt'), key, cert));
    const { path, requestSerialize, responseDeserialize } = flowIngestDefinition().Stream;
    this.#call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    this.#call.on('data', ({ sequence }: Ack) => this.#acknowledged.get(sequence)?.());
    this.#call.on('error', (error) => {
      if (!this.#closed) process.stderr.write(`${nodeName(node)}: ${error.message}\n`);
    });
  }

  /** False if the connection takes no more now. */
  send(records: WireRecords): boolean {
    this.#sequence += 1;
    const interfaces = this.#sequence === 1 ? interfacesOf(this.node, nowUs() - 600_000_000) : undefined;
    return this.#call.write({
      node: nodeName(this.node),
      instance: `bench-${this.node}`,
      sequence: this.#sequence,
      sentUs: nowUs(),
      coveredUntilUs: nowUs(),
      state: interfaces === undefined ? null : { ...emptyState, interfaces },
      records,
      names: null,
    } as FlowBatch);
  }

  /** Sends the records, and returns how long the acknowledgement took, in seconds. */
  async acknowledgementS(records: WireRecords): Promise<number> {
    const began = performance.now();
    this.send(records);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no acknowledgement')), maxWaitMs);
      this.#acknowledged.set(this.#sequence, () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#acknowledged.delete(this.#sequence);
    return (performance.now() - began) / 1000;
  }

  /** Sends the batches again and again, as fast as the connection takes them. */
  flood(some: readonly WireRecords[]): void {
    let next = 0;
    const more = () => {
      if (this.send(some[next++ % some.length]!)) setImmediate(more);
    };
    this.#call.on('drain', more);
    more();
  }

  close(): void {
    this.#closed = true;
    this.#call.cancel();
    this.#client.close();
  }
}

const emptyState = {
  version: 'bench',
  source: 'ebpf',
  sourceReason: 'bench',
  accounting: null,
  nodeAddresses: [],
  notWatched: [],
};

/** Records of new connections at the interfaces of one node. */
function batchesOf(node: number, count: number, size: number): WireRecords[] {
  const own: ConnectionRecord[] = [];
  for (const one of recordsOf({ connections: count * size * 6, startUs: nowUs() - 1_000_000, is: 'first' })) {
    if (one.node === node && own.length < count * size) own.push(one.record);
  }
  return numbers(count).map((i) => encodeRecords(own.slice(i * size, (i + 1) * size)));
}

async function waits(honest: Peer, some: readonly WireRecords[]): Promise<number[]> {
  const seconds: number[] = [];
  for (const records of some) {
    seconds.push(await honest.acknowledgementS(records));
    await new Promise((resolve) => setTimeout(resolve, batchEveryMs));
  }
  return seconds;
}

const text = (seconds: readonly number[]) =>
  `${(percentile(seconds, 0.5) * 1000).toFixed(0)} ms median, ${(percentile(seconds, 0.99) * 1000).toFixed(0)} ms p99`;

async function main(): Promise<void> {
  await makeCertificates({
    folder,
    nodes: [nodeName(0), nodeName(1)],
    servers: ['localhost'],
    days: 1,
    overwrite: false,
  });
  const collector = await startCollector(folder, clusterManifest());
  try {
    const quiet = batchesOf(0, batches * 2, recordsPerBatch);
    const honest = new Peer(0, collector.ingest);
    const alone = await waits(honest, quiet.slice(0, batches));
    process.stdout.write(`an acknowledgement without another agent: ${text(alone)}\n`);
    const bad = fork(import.meta.filename, ['flood', folder, String(collector.ingest)]);
    await once(bad, 'message');
    const beside = await waits(honest, quiet.slice(batches));
    bad.kill();
    process.stdout.write(`while another agent floods: ${text(beside)}\n`);
    honest.close();
    printBudgets({
      name: 'ack-beside-flood-p99',
      figure: percentile(beside, 0.99),
      unit: 's',
      limit: limitS,
      better: 'lower',
    });
  } finally {
    await collector.end();
    rmSync(folder, { recursive: true });
  }
}

if (role === 'flood') {
  new Peer(1, Number(floodPort)).flood(batchesOf(1, 40, floodBatchRecords));
  process.send!('it floods');
} else await main();
