// What the collector learns of an agent by its stream: the difference of the clocks, also if connecting takes long, and
// whether the agent stopped.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { PacketAccounting } from '../../../accounting/accounting.ts';
import { BatchQueue } from '../../../agent/delivery/queue.ts';
import { CollectorStream } from '../../../agent/delivery/stream.ts';
import { makeCertificates } from '../../../certs/make.ts';
import { readTlsCredentials } from '../../../certs/read.ts';
import { nowUs } from '../../../cluster/clock.ts';
import { ClusterHistory } from '../../../collector/identity/cluster-history.ts';
import { Agents } from '../../../collector/ingest/agents.ts';
import { type IngestedBatch, serveIngest } from '../../../collector/ingest/ingest.ts';
import { NodeClaims } from '../../../collector/ingest/node-claims.ts';
import { emptyDnsReport } from '../../../model/dns-answer.ts';
import { emptyState } from '../../scene/raw-agent.ts';
import { record } from '../../scene/records.ts';
import { until } from '../../scene/until.ts';

const log = pino({ level: 'silent' });
/** More than a message takes on a busy machine, and less than connecting takes here. */
const maxErrorUs = 1_000_000;
const connectDelayMs = 2_000;

/** The agent's clock minus the collector's. */
type Options = { agentLeadUs?: number; connectDelayMs?: number; store?: () => Promise<boolean> };

async function scene(t: Test, { agentLeadUs = 0, connectDelayMs = 0, store = async () => true }: Options = {}) {
  const folder = t.testdir();
  await makeCertificates({ folder, nodes: ['n1'], servers: ['localhost'], days: 1, overwrite: false });
  const tls = (name: string) =>
    readTlsCredentials({ ca: `${folder}/ca.crt`, cert: `${folder}/${name}.crt`, key: `${folder}/${name}.key` });
  const agents = new Agents(new NodeClaims(new ClusterHistory()));
  const joined: IngestedBatch[] = [];
  const ingest = await serveIngest(
    {
      listen: 'localhost:0',
      tls: tls('collector'),
      maxBatchRecords: 100,
      maxAgents: 10,
      maxAgentRate: 1_000_000,
      nowUs,
    },
    agents,
    { store, process: (batch) => joined.push(batch) },
    log,
  );
  t.teardown(() => ingest.stop());
  const queue = new BatchQueue(new PacketAccounting(), { maxBatchRecords: 100, maxQueuedRecords: 1_000 });
  const agentUs = () => nowUs() + agentLeadUs;
  const watchingSinceUs = agentUs();
  const stream = new CollectorStream(
    {
      node: 'n1',
      instance: 'one',
      address: `localhost:${await slowPort(t, ingest.port, connectDelayMs)}`,
      tls: tls('agent-n1'),
      nowUs: agentUs,
      wallOffsetUs: () => -agentLeadUs,
      state: () => ({ ...emptyState, watchingSinceUs, stopped: false }),
      onConnected: () => undefined,
    },
    queue,
    log,
  );
  t.teardown(() => stream.close(0));
  const send = () => {
    queue.enqueue([record({ beganUs: agentUs(), firstUs: agentUs(), lastUs: agentUs() })], emptyDnsReport, agentUs());
    stream.flush();
  };
  return { agents, joined, queue, stream, send, watchingSinceUs: watchingSinceUs - agentLeadUs };
}

/** A port that passes everything on to another one, later by some time while a connection is new. */
async function slowPort(t: Test, port: number, delayMs: number): Promise<number> {
  const server = createServer((incoming: Socket) => {
    incoming.on('error', () => undefined);
    setTimeout(delayMs).then(() => {
      const outgoing = connect(port, 'localhost').on('error', () => undefined);
      incoming.pipe(outgoing).pipe(incoming);
    });
  });
  await once(server.listen(0, 'localhost'), 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test('a connection that takes long to open does not move the times of records', async (t) => {
  const { joined, send } = await scene(t, { connectDelayMs, agentLeadUs: 3_600_000_000 });
  send();
  await until('the batch is stored', () => joined.length === 1);
  const [{ clockOffsetUs }] = joined as [IngestedBatch];
  t.ok(Math.abs(clockOffsetUs + 3_600_000_000) < maxErrorUs, `${clockOffsetUs + 3_600_000_000} µs`);
});

t.test('since when an agent watches is known in spite of a slow connection, and its clock is shown', async (t) => {
  const { agents, joined, send, watchingSinceUs } = await scene(t, { connectDelayMs, agentLeadUs: -5_000_000 });
  send();
  await until('the batch is stored', () => joined.length === 1);
  const [run] = agents.runs.takeChanged();
  t.ok(Math.abs(run!.watchingSinceUs - watchingSinceUs) < maxErrorUs);
  t.match(agents.all(), [{ wallOffsetUs: 5_000_000 }]);
});

t.test('an agent that stops after all is stored says so', async (t) => {
  const { agents, joined, send, stream } = await scene(t);
  send();
  await until('the batch is stored', () => joined.length === 1);
  await stream.close(1_000);
  await until('the collector knows it', () => agents.runs.takeChanged().some(({ stopped }) => stopped));
});

t.test('an agent that gives up its batches does not', async (t) => {
  const { agents, send, stream } = await scene(t, { store: () => new Promise(() => undefined) });
  send();
  await until('the stream is open', () => agents.all().some(({ state }) => state.version !== ''));
  await stream.close(50);
  await setTimeout(300);
  t.same(
    agents.runs.takeChanged().map(({ stopped }) => stopped),
    [false],
  );
});

t.test('nothing after a batch that could not be stored is covered', async (t) => {
  let fails = true;
  const { agents, joined, send, queue, stream } = await scene(t, {
    store: async () => {
      if (fails) throw new Error('disk full');
      return true;
    },
  });
  const beganUs = nowUs();
  send();
  await until('it is sent again', async () => {
    stream.flush();
    await setTimeout(20);
    return agents.all().length > 0;
  });
  for (let i = 0; i < 20; i++) {
    queue.enqueue([], emptyDnsReport, nowUs());
    stream.flush();
    await setTimeout(20);
  }
  t.ok(agents.all()[0]!.coveredUntilUs < beganUs, 'its packets are not stored yet');
  fails = false;
  await until('it is stored', () => {
    stream.flush();
    return joined.length === 1;
  });
  await until('then it is covered', () => {
    queue.enqueue([], emptyDnsReport, nowUs());
    stream.flush();
    return agents.all()[0]!.coveredUntilUs > beganUs;
  });
});
