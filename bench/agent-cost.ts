// The cost of a whole agent with 100,000 live connections: processor time per million packets and resident memory, with
// each source (or the given ones, `node bench/agent-cost.ts ebpf`), compared with softflowd on the same traffic. In the
// lab, with a real collector.
import { spawn } from 'node:child_process';
import { flood } from '../lab/programs/flood.ts';
import { type LabSession, withLab } from '../lab/session.ts';
import { nodeNamespace, podLink } from '../lab/system/names.ts';
import { checkPrograms } from '../lab/system/privilege.ts';
import { type Budget, printBudgets } from './budget.ts';
import { cpuSeconds, memoryMiB } from './process.ts';

const topology = new URL('agent-cost.yaml', import.meta.url).pathname;
const sender = { namespace: 'shop', name: 'batch-0' };
const receiver = 'open-0';
/** Each is a connection in both families, seen at both pods of one node: 100,000 connections. */
const ports = 25_000;
/** Packets of each connection: they span several of the topology's `reportEvery`, as with live connections. */
const rounds = 8;
const gapUs = 10;
const limitMiB = 120;
const sampleEveryMs = 250;

/** `rssMiB`: the maximum while all connections were live; `peakMiB`: the maximum since the process started. */
type Cost = { cpuSeconds: number; rssMiB: number; peakMiB: number; packets: number };

/** Sends one packet of every connection, in one family after the other. */
async function sendRound({ network }: LabSession): Promise<number> {
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
  let packets = await sendRound(session);
  let maxRssMiB = 0;
  const sampling = setInterval(() => {
    maxRssMiB = Math.max(maxRssMiB, memoryMiB(pid, 'VmRSS'));
  }, sampleEveryMs);
  for (let i = 1; i < rounds; i++) packets += await sendRound(session);
  clearInterval(sampling);
  return { cpuSeconds: cpuSeconds(pid) - before, rssMiB: maxRssMiB, peakMiB: memoryMiB(pid, 'VmHWM'), packets };
}

/** softflowd on the sender's interface; nothing receives its flows. */
async function measureSoftflowd(session: LabSession): Promise<Cost> {
  const { id } = session.network.world;
  const args = [
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
  const child = spawn('nsenter', [`--net=/run/netns/${nodeNamespace(id, 'node-a')}`, 'softflowd', ...args], {
    stdio: 'ignore',
  });
  try {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return await measured(session, child.pid!);
  } finally {
    child.kill();
  }
}

function print(name: string, { cpuSeconds: seconds, rssMiB, peakMiB, packets }: Cost): void {
  const perMillion = ((seconds / packets) * 1_000_000).toFixed(2);
  const memory = `${rssMiB.toFixed(0)} MiB resident, ${peakMiB.toFixed(0)} MiB peak`;
  process.stdout.write(`${name}: ${perMillion} s of processor per million packets, ${memory}\n`);
}

checkPrograms();
const sources = process.argv.slice(2);
const budgets: Budget[] = [];
for (const source of ['ebpf', 'tap', 'pcap']) {
  if (sources.length > 0 && !sources.includes(source)) continue;
  const cost = await withLab(topology, source, (session) => measured(session, session.waybill.pidOf('agent-node-a')));
  print(`agent, ${source}`, cost);
  const name = `agent-memory-${source}`;
  budgets.push({ name, figure: cost.rssMiB, unit: 'MiB', limit: limitMiB, better: 'lower' });
}
if (sources.length === 0) print('softflowd', await withLab(topology, 'ebpf', measureSoftflowd));
printBudgets(...budgets);
