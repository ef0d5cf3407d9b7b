// From a capture file to connection records, compared with other programs on the same file: nfpcapd (flow records on
// disk), softflowd (flows in memory), and the minimum of any reader. Each runs as a process on one core, from start to
// exit. Packets/s are per second of processor time: other users of the core do not matter.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, printBudgets } from './budget.ts';
import { type Framing, pcap, pcapng, type Traffic, writeCapture } from './capture-file.ts';
import { clusterManifest } from './replay-load.ts';

const rounds = 5;
const program = (name: string) => new URL(name, import.meta.url).pathname;
const million = 1_000_000;

type File = { name: string; description: string; framing: Framing; traffic: Traffic };

const files: readonly File[] = [
  {
    name: 'tcp.pcap',
    description: '2,000,000 TCP packets in 65,000 connections, 2,000 at once',
    framing: pcap,
    traffic: { packets: 2 * million, connections: 65_000, atOnce: 2_000, mix: 'tcp' },
  },
  {
    name: 'scattered.pcap',
    description: '2,000,000 TCP packets in 65,000 connections, all at once',
    framing: pcap,
    traffic: { packets: 2 * million, connections: 65_000, atOnce: 65_000, mix: 'tcp' },
  },
  {
    name: 'varied.pcapng',
    description:
      '1,000,000 packets in 32,000 connections, 2,000 at once: IPv4 and IPv6, TCP and UDP, with and without a VLAN tag',
    framing: pcapng,
    traffic: { packets: million, connections: 32_000, atOnce: 2_000, mix: 'varied' },
  },
];

type Contender = {
  name: string;
  command(file: string, folder: string): string[];
  rounds: number;
  /** The number of packets that it reports; missing if it reports none. */
  counted?(stdout: string, folder: string): number;
};

const ownRun = (name: string, run: string): Contender => ({
  name,
  command: (file) => [process.execPath, program('replay-run.ts'), run, file],
  rounds,
  counted: Number,
});

const waybill = ownRun('waybill, file to connection records', 'records');
const nfpcapd: Contender = {
  name: 'nfpcapd',
  command: (file, folder) => ['nfpcapd', '-r', file, '-w', folder],
  rounds,
  counted: (_, folder) => Number(/^Packets: (\d+)$/m.exec(run('nfdump', '-R', folder, '-I'))?.[1]),
};
const softflowd: Contender = {
  name: 'softflowd',
  rounds,
  command: (file, folder) => {
    const flows = ['-m', '100000', '-6'];
    return ['softflowd', '-r', file, '-d', '-c', 'none', '-p', join(folder, 'pid'), ...flows];
  },
};
const contenders: readonly Contender[] = [
  ownRun('floor: stepping over the packets', 'walk'),
  ownRun('waybill, reading alone', 'read'),
  waybill,
  nfpcapd,
  softflowd,
  {
    name: 'waybill replay, verdicts included',
    rounds: 1,
    command: (file, folder) => {
      const cluster = join(folder, 'cluster.json');
      writeFileSync(cluster, clusterManifest());
      return [process.execPath, program('../cli/waybill.ts'), 'replay', file, '--cluster', cluster, '-o', 'json'];
    },
  },
];

/** Seconds of one core. Throws if the contender did not count every packet. */
function measured(contender: Contender, path: string, packets: number, scratch: string): number {
  const folder = join(scratch, 'run');
  mkdirSync(folder);
  try {
    const core = String(availableParallelism() - 1);
    const timed = ['-c', 'TIMEFORMAT="%U %S"; time "$@" 2> /dev/null', 'bash', 'taskset', '-c', core];
    const { stdout, stderr, status } = spawnSync('bash', [...timed, ...contender.command(path, folder)], {
      encoding: 'utf8',
      maxBuffer: 256 * million,
    });
    if (status !== 0) throw new Error(`${contender.name} exited with ${status}`);
    const counted = contender.counted?.(stdout, folder) ?? packets;
    if (counted !== packets) throw new Error(`${contender.name} counted ${counted} of ${packets} packets`);
    const [user, system] = stderr.trim().split(' ').map(Number);
    return user! + system!;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Seconds of each contender, one figure per round. They alternate: a change of the machine's load affects all. */
function race({ name, framing, traffic }: File, scratch: string): Map<Contender, number[]> {
  const path = join(scratch, name);
  writeCapture(path, framing, traffic);
  const seconds = new Map<Contender, number[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round++) {
    if (process.stderr.isTTY) process.stderr.write(`\r${name}: round ${round + 1} of ${rounds} `);
    for (const [contender, figures] of seconds) {
      if (round < contender.rounds) figures.push(measured(contender, path, traffic.packets, scratch));
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  rmSync(path);
  return seconds;
}

/** The median over all rounds of: how many times faster than the peer. */
function timesFaster(own: readonly number[], peer: readonly number[]): number {
  return median(own.map((seconds, round) => peer[round]! / seconds));
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' });
}

const scratch = mkdtempSync(join(tmpdir(), 'waybill-replay-'));
let worst = Number.POSITIVE_INFINITY;
try {
  for (const file of files) {
    const seconds = race(file, scratch);
    const peer = seconds.get(nfpcapd)!;
    process.stdout.write(`${file.name}: ${file.description}\n`);
    for (const [{ name }, figures] of seconds) {
      const rate = Math.round(file.traffic.packets / median(figures)).toLocaleString('en');
      const times = timesFaster(figures, peer).toFixed(2);
      process.stdout.write(`  ${name.padEnd(36)} ${rate.padStart(11)} packets/s  ${times} x nfpcapd\n`);
    }
    worst = Math.min(worst, timesFaster(seconds.get(waybill)!, peer));
  }
} finally {
  rmSync(scratch, { recursive: true });
}
printBudgets({ name: 'replay-vs-nfpcapd', figure: worst, unit: 'x', limit: 1, better: 'higher' });
