// What a whole agent costs with more than 100,000 live connections: processor time for a million packets and resident
// memory, with each source, and softflowd beside them on the same traffic. In the lab, with a real collector.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { nodeNamespace, podLink } from '../lab/network/names.ts';
import { checkPrograms } from '../lab/privilege.ts';
import { flood } from '../lab/programs/flood.ts';
import { type LabSession, withLab } from '../lab/session.ts';
import { budgetLine } from './budget.ts';

const topology = new URL('agent-cost.yaml', import.meta.url).pathname;
const sender = { namespace: 'shop', name: 'batch-0' };
/** Of both families: twice up to 64,512 ports of the sender, nearly all of which come up. */
const receiver = 'open-0';
const packetsEach = 150_000;
const gapUs = 20;
const ticksASecond = 100; // sysconf(_SC_CLK_TCK), the same on every Linux
const limitMiB = 120;
const settleMs = 4_000;

type Cost = { cpuSeconds: number; rssMiB: number };

async function load({ network }: LabSession): Promise<number> {
  const { pods } = network.world.cluster;
  const addressesOf = (name: string) => pods.find((pod) => pod.name === name)!.addresses;
  for (const family of [0, 1]) {
    const [source, destination] = [addressesOf(sender.name)[family]!, addressesOf(receiver)[family]!];
    await flood(network, { from: sender, source, destination, port: 514, packets: packetsEach, gapUs });
  }
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  return packetsEach * 2;
}

async function measured(session: LabSession, pid: number): Promise<Cost & { packets: number }> {
  const before = cpuSeconds(pid);
  const packets = await load(session);
  return { cpuSeconds: cpuSeconds(pid) - before, rssMiB: rssMiB(pid), packets };
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksASecond;
}

function rssMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024;
}

/** On the sender's interface, as one of our agents watches it; its flows go nowhere. */
async function measureSoftflowd(session: LabSession): Promise<Cost & { packets: number }> {
  const { id } = session.network.world;
  const words = [
    '-i',
    podLink(sender),
    '-n',
    '127.0.0.1:9995',
    '-m',
    '150000',
    '-d',
    '-c',
    'none',
    '-p',
    `/tmp/softflowd-${id}`,
  ];
  const child = spawn('nsenter', [`--net=/run/netns/${nodeNamespace(id, 'node-a')}`, 'softflowd', ...words], {
    stdio: 'ignore',
  });
  try {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return await measured(session, child.pid!);
  } finally {
    child.kill();
  }
}

function say(name: string, { cpuSeconds: seconds, rssMiB: memory, packets }: Cost & { packets: number }): void {
  const perMillion = (seconds / packets) * 1_000_000;
  process.stdout.write(
    `${name}: ${perMillion.toFixed(2)} s of processor a million packets, ${memory.toFixed(0)} MiB resident\n`,
  );
}

checkPrograms();
const costs = new Map<string, Cost & { packets: number }>();
for (const source of ['ebpf', 'tap', 'pcap']) {
  const cost = await withLab(topology, source, (session) => measured(session, session.waybill.pidOf('agent-node-a')));
  costs.set(source, cost);
  say(`agent, ${source}`, cost);
}
say('softflowd', await withLab(topology, 'ebpf', measureSoftflowd));
for (const [source, { rssMiB: figure }] of costs) {
  if (source === 'pcap') continue;
  process.stdout.write(
    `${budgetLine({ name: `agent-memory-${source}`, figure, unit: 'MiB', limit: limitMiB, better: 'lower' })}\n`,
  );
}
