// What it costs to make connection records of the kernel's rows: 100,000 connections, all of them new, then all of them
// known and due again.
import { execFileSync } from 'node:child_process';
import { pino } from 'pino';
import { PacketAccounting } from '../accounting/accounting.ts';
import { loadProgram } from '../agent/capture/ebpf/program.ts';
import { KernelSource } from '../agent/capture/ebpf/source.ts';
import { nowUs } from '../cluster/clock.ts';
import { budgetLine, percentile } from './budget.ts';
import { inNamespace } from './in-namespace.ts';
import { RawSender, udpFrame } from './raw-sender.ts';

const connections = 100_000;
const rounds = 7;

async function main(): Promise<void> {
  execFileSync('sh', ['-c', 'ip link add pod type veth peer name host && ip link set pod up && ip link set host up']);
  const index = (name: string) =>
    (JSON.parse(execFileSync('ip', ['-j', 'link', 'show', name]).toString()) as [{ ifindex: number }])[0].ifindex;
  const options = { maxConnections: 131_072, reportEveryUs: 0, nowUs, seed: 7 };
  const eventHandlers = { translation: () => undefined, dns: () => undefined };
  const source = new KernelSource(
    'ebpf',
    loadProgram('ebpf', 131_072),
    options,
    new PacketAccounting(),
    eventHandlers,
    pino({ level: 'silent' }),
  );
  source.watch({ index: index('host'), name: 'host', appearedUs: 0 });
  const frames = Array.from({ length: connections }, (_, i) =>
    udpFrame(1 + Math.floor(i / 50_000), 10_000 + (i % 50_000)),
  );
  const sender = new RawSender(index('pod'), frames);
  const figures: number[] = [];
  for (let round = 0; round < rounds; round++) {
    sender.send(connections);
    source.drain(nowUs(), () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 200));
    let records = 0;
    const begun = performance.now();
    source.drain(nowUs(), () => {
      records += 1;
    });
    const us = ((performance.now() - begun) * 1000) / records;
    const kind = round === 0 ? 'new' : 'known';
    process.stdout.write(`drain of ${records} ${kind} connections: ${us.toFixed(2)} µs a record\n`);
    if (round > 0) figures.push(us);
    await new Promise((resolve) => setTimeout(resolve, 200));
    source.drain(nowUs(), () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  sender.close();
  await source.close(() => undefined);
  const figure = percentile(figures, 0.5);
  process.stdout.write(`${budgetLine({ name: 'drain', figure, unit: 'us', limit: 1, better: 'lower' })}\n`);
}

await inNamespace(import.meta.filename, main);
