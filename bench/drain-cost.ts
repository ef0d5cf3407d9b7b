// The cost of connection records from the kernel's rows: 100,000 connections, all new, then all known and due for a
// report again.
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import { PacketAccounting } from '../accounting/accounting.ts';
import { loadProgram } from '../agent/capture/ebpf/program.ts';
import { KernelSource } from '../agent/capture/ebpf/source.ts';
import { nowUs } from '../cluster/clock.ts';
import { median, printBudgets } from './budget.ts';
import { inNamespace } from './in-namespace.ts';
import { RawSender, udpFrame } from './raw-sender.ts';
import { addVethPair } from './veth-pair.ts';

const connections = 100_000;
const rounds = 7;

async function main(): Promise<void> {
  const links = addVethPair();
  const options = { maxConnections: 131_072, reportEveryUs: 0, nowUs, seed: 7 };
  const lookups = { translation: () => undefined, dns: () => undefined };
  const source = new KernelSource(
    'ebpf',
    loadProgram('ebpf', 131_072),
    options,
    new PacketAccounting(),
    lookups,
    pino({ level: 'silent' }),
  );
  source.watch({ index: links.host, name: 'host', appearedUs: 0 });
  const frames = Array.from({ length: connections }, (_, i) =>
    udpFrame(1 + Math.floor(i / 50_000), 10_000 + (i % 50_000)),
  );
  const sender = new RawSender(links.pod, frames);
  const figures: number[] = [];
  for (let round = 0; round < rounds; round++) {
    sender.send(connections);
    source.drain(nowUs(), () => undefined);
    await setTimeout(200);
    let records = 0;
    const startMs = performance.now();
    source.drain(nowUs(), () => {
      records += 1;
    });
    const us = ((performance.now() - startMs) * 1000) / records;
    const kind = round === 0 ? 'new' : 'known';
    process.stdout.write(`drain of ${records} ${kind} connections: ${us.toFixed(2)} µs per record\n`);
    if (round > 0) figures.push(us);
    await setTimeout(200);
    source.drain(nowUs(), () => undefined);
    await setTimeout(200);
  }
  sender.close();
  await source.close(() => undefined);
  printBudgets({ name: 'drain', figure: median(figures), unit: 'us', limit: 1, better: 'lower' });
}

await inNamespace(import.meta.filename, main);
