// What a whole agent costs with 100,000 live connections: processor time for a million packets and resident memory, with
// each source (or those that are named, `node bench/agent-cost.ts ebpf`), and softflowd beside them on the same traffic.
// In the lab, with a real collector.
import { spawn } from 'node:child_process';
import { flood } from '../lab/programs/flood.ts';
import { type LabSession, withLab } from '../lab/session.ts';
import { nodeNamespace, podLink } from '../lab/system/names.ts';
import { checkPrograms } from '../lab/system/privilege.ts';
import { budgetLine } from './budget.ts';
import { cpuSeconds, memoryMiB } from './process.ts';

const topology = new URL('agent-cost.yaml', import.meta.url).pathname;
const sender = { namespace: 'shop', name: 'batch-0' };
const receiver = 'open-0';
/** Each is a connection in both families, and seen at both pods, which are on one node: 100,000 connections. */
const ports = 25_000;
/** Packets of each connection: they go on over several of the topology's `reportEvery`, as do live connections. */
const rounds = 8;
const gapUs = 10;
const limitMiB = 120;
const lookEveryMs = 250;

/** `rssMiB` is the most that was resident while all connections lived; `peakMiB` the most since the program began. */
type Cost = { cpuSeconds: number; rssMiB: number; peakMiB: number; packets: number };

/** One packet of every connection, in both families in turn. */
async function round({ network }: LabSession): Promise<number> {
  const { pods } = network.world.cluster;
  const addressesOf = (name: string) => pods.find((pod) => pod.name === name)!.addresses;
  for (const family of [0, 1]) {
    const [source, destination] = [addressesOf(sender.name)[family]!, addressesOf(receiver)[family]!];
    await flood(network, { from: sender, source, destination, port: 514, packets: ports, gapUs, sourcePorts: ports });
  }
  return ports * 2;
}

async function measured(session: LabSession, pid: number): Promise<Cost> {
  const before = cpuSeconds(pid);
  let packets = await round(session);
  let most = 0;
  const looking = setInterval(() => {
    most = Math.max(most, memoryMiB(pid, 'VmRSS'));
  }, lookEveryMs);
  for (let i = 1; i < rounds; i++) packets += await round(session);
  clearInterval(looking);
  return { cpuSeconds: cpuSeconds(pid) - before, rssMiB: most, peakMiB: memoryMiB(pid, 'VmHWM'), packets };
}

/** On the sender's interface, as one of our agents watches it; its flows go nowhere. */
async function measureSoftflowd(session: LabSession): Promise<Cost> {
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

function say(name: string, { cpuSeconds: seconds, rssMiB, peakMiB, packets }: Cost): void {
  const perMillion = ((seconds / packets) * 1_000_000).toFixed(2);
  const memory = `${rssMiB.toFixed(0)} MiB resident, ${peakMiB.toFixed(0)} MiB at most`;
  process.stdout.write(`${name}: ${perMillion} s of processor a million packets, ${memory}\n`);
}

checkPrograms();
const asked = process.argv.slice(2);
const budgets: string[] = [];
for (const source of ['ebpf', 'tap', 'pcap']) {
  if (asked.length > 0 && !asked.includes(source)) continue;
  const cost = await withLab(topology, source, (session) => measured(session, session.waybill.pidOf('agent-node-a')));
  say(`agent, ${source}`, cost);
  const budget = { name: `agent-memory-${source}`, figure: cost.rssMiB, unit: 'MiB', limit: limitMiB };
  budgets.push(budgetLine({ ...budget, better: 'lower' }));
}
if (asked.length === 0) say('softflowd', await withLab(topology, 'ebpf', measureSoftflowd));
for (const line of budgets) process.stdout.write(`${line}\n`);
