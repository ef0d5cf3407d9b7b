// Runs in a network namespace of its own, with a veth pair into another one and our program on the host side. Sends traffic,
// and prints as JSON what the interface counted and what the records contain.
//   node count.ts SOURCE MAX-CONNECTIONS TRAFFIC
import { execFile, execFileSync, spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';

const run = promisify(execFile);
const link = 'vh';
const podAddress = '10.0.0.2';

export type Counted = {
  interface: { packets: number; bytes: number };
  records: { frames: number; packets: number; bytes: number; count: number };
  accounting: ReturnType<PacketAccounting['snapshot']>;
  /** Bytes that the receiving program reports; 0 if none reports. */
  received: number;
};

type Traffic = (node: (program: string, ...args: string[]) => Promise<string>, inPod: string[]) => Promise<number>;

const traffics: Record<string, Traffic> = {
  /** From random addresses and ports: more connections than the table can hold. */
  'many connections': (_, inPod) => flood(inPod, '10, drnd(3)'),
  /** From one address. */
  'few connections': (_, inPod) => flood(inPod, '10, 0, 0, 2'),
  /** SYNs on the same ports, each with another sequence number. */
  'reused ports': (_, inPod) =>
    sendAll(
      inPod,
      6,
      "10, 0, 0, 2, 10, 0, 0, 1, const16(7), const16(9), drnd(4), 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0, fill('w', 6)",
    ),
  'segmentation offload': iperf3,
};

function flood(inPod: string[], sourceAddress: string): Promise<number> {
  return sendAll(inPod, 17, `${sourceAddress}, 10, 0, 0, 1, drnd(2), const16(9), const16(26), 0, 0, fill('w', 18)`);
}

/**
 * Sends two million packets of 60 bytes. `rest` is the packet from the IP header's addresses on, in the syntax of trafgen.
 * Checksums are zero, because nothing checks them here.
 */
async function sendAll(inPod: string[], protocol: number, rest: string): Promise<number> {
  const [{ address }] = JSON.parse(execFileSync('ip', ['-j', 'link', 'show', link]).toString()) as [
    { address: string },
  ];
  const hardware = address.split(':').map((byte) => `0x${byte}`);
  const ethernet = `${hardware.join(', ')}, 2, 0, 0, 0, 0, 2, 0x08, 0x00`;
  const ip = `0x45, 0, const16(46), 0, 0, 0, 0, 64, ${protocol}, 0, 0`;
  const file = join(tmpdir(), `count-${process.pid}.trafgen`);
  writeFileSync(file, `{ ${ethernet}, ${ip}, ${rest} }\n`);
  const words = ['-c', file, '-o', 'eth0', '-n', '2000000', '--cpus', '1', '--no-sock-mem', '-q'];
  await run(inPod[0]!, [...inPod.slice(1), 'trafgen', ...words]);
  rmSync(file);
  return 0;
}

async function iperf3(node: Parameters<Traffic>[0], inPod: string[]): Promise<number> {
  const server = spawn(inPod[0]!, [...inPod.slice(1), 'iperf3', '-s', '-1', '-J'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let iperfJson = '';
  server.stdout.on('data', (chunk: Buffer) => {
    iperfJson += chunk.toString();
  });
  await until(async () => (await run(inPod[0]!, [...inPod.slice(1), 'ss', '-Hltn'])).stdout.includes(':5201'));
  await node('iperf3', '-c', podAddress, '-n', '500M');
  await new Promise((resolve) => (server.exitCode === null ? server.once('close', resolve) : resolve(undefined)));
  return (JSON.parse(iperfJson) as { end: { sum_received: { bytes: number } } }).end.sum_received.bytes;
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await reached()); tries++) {
    if (tries > 200) throw new Error('timed out');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function main(source: 'ebpf' | 'tap', maxConnections: number, traffic: string): Promise<Counted> {
  const other = spawn('unshare', ['-n', 'sleep', '300'], { stdio: 'ignore' });
  const inPod = ['nsenter', '-t', String(other.pid), '-n'];
  try {
    await until(
      async () => (await run(inPod[0]!, [...inPod.slice(1), 'ip', '-br', 'link'])).stdout.split('\n').length === 2,
    );
    const ip = (line: string) => execFileSync('ip', line.split(' '));
    ip('link set lo up');
    ip(`link add ${link} type veth peer name eth0 netns ${other.pid}`);
    ip(`link set ${link} addrgenmode none`);
    ip(`addr add 10.0.0.1/24 dev ${link}`);
    ip(`link set ${link} up`);
    for (const line of [`link set eth0 addrgenmode none`, `addr add ${podAddress}/24 dev eth0`, 'link set eth0 up']) {
      execFileSync(inPod[0]!, [...inPod.slice(1), 'ip', ...line.split(' ')]);
    }
    return await count(source, maxConnections, traffics[traffic]!, inPod);
  } finally {
    other.kill('SIGKILL');
  }
}

async function count(
  name: 'ebpf' | 'tap',
  maxConnections: number,
  traffic: Traffic,
  inPod: string[],
): Promise<Counted> {
  const accounting = new PacketAccounting();
  const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;
  const options = { maxConnections, reportEveryUs: 1_000_000, nowUs, seed: 7 };
  const eventHandlers = { translation: () => undefined, dns: () => undefined };
  const source = new KernelSource(
    name,
    loadProgram(name, maxConnections),
    options,
    accounting,
    eventHandlers,
    pino({ level: 'silent' }),
  );
  const { ifindex } = linkStats();
  source.watch({ index: ifindex, name: link, appearedUs: 0 });
  const before = linkStats();
  const records = { frames: 0, packets: 0, bytes: 0, count: 0 };
  const take = (record: ConnectionRecord) => {
    records.frames += record.frames;
    records.packets += record.packets.forward + record.packets.reverse;
    records.bytes += record.bytes.forward + record.bytes.reverse;
    records.count += 1;
  };
  const timer = setInterval(() => source.drain(nowUs(), take), 100);
  const node = async (program: string, ...args: string[]) => (await run(program, args)).stdout;
  const received = await traffic(node, inPod);
  clearInterval(timer);
  await source.close(take);
  const after = linkStats();
  return {
    interface: { packets: after.packets - before.packets, bytes: after.bytes - before.bytes },
    records,
    accounting: accounting.snapshot(),
    received,
  };
}

function linkStats(): { ifindex: number; packets: number; bytes: number } {
  const shown = JSON.parse(execFileSync('ip', ['-s', '-j', 'link', 'show', link]).toString()) as [
    { ifindex: number; stats64: Record<'rx' | 'tx', { packets: number; bytes: number }> },
  ];
  const { ifindex, stats64 } = shown[0];
  const { rx, tx } = stats64;
  return { ifindex, packets: rx.packets + tx.packets, bytes: rx.bytes + tx.bytes };
}

if (import.meta.main) {
  const [source, maxConnections, traffic] = process.argv.slice(2);
  process.stdout.write(`${JSON.stringify(await main(source as 'ebpf' | 'tap', Number(maxConnections), traffic!))}\n`);
}
