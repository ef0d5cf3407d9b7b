// From a capture file to connection records, against what others do of the same file: nfpcapd (from the file to flow
// records on disk), softflowd (from the file to flows in memory), and the floor under all of them. Each is a program of
// its own on one core, from its start to its end; packets/s are those of the processor's time, so that who else uses the
// core does not matter.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { budgetLine, percentile } from './budget.ts';
import { type Framing, pcap, pcapng, type Traffic, writeCapture } from './capture-file.ts';
import { clusterManifest } from './replay-cluster.ts';

const rounds = 5;
const program = (name: string) => new URL(name, import.meta.url).pathname;
const million = 1_000_000;

type File = { name: string; says: string; framing: Framing; traffic: Traffic };

const files: readonly File[] = [
  {
    name: 'tcp.pcap',
    says: '2,000,000 TCP packets in 65,000 connections, 2,000 at once',
    framing: pcap,
    traffic: { packets: 2 * million, connections: 65_000, atOnce: 2_000, mix: 'tcp' },
  },
  {
    name: 'scattered.pcap',
    says: '2,000,000 TCP packets in 65,000 connections, all at once',
    framing: pcap,
    traffic: { packets: 2 * million, connections: 65_000, atOnce: 65_000, mix: 'tcp' },
  },
  {
    name: 'varied.pcapng',
    says: '1,000,000 packets in 32,000 connections, 2,000 at once: IPv4 and IPv6, TCP and UDP, with and without a VLAN tag',
    framing: pcapng,
    traffic: { packets: million, connections: 32_000, atOnce: 2_000, mix: 'varied' },
  },
];

type Contender = {
  name: string;
  command(file: string, folder: string): string[];
  rounds: number;
  /** How many packets it says it counted; not asked where it cannot be known. */
  counted?(stdout: string, folder: string): number;
};

const ownRun = (name: string, what: string): Contender => ({
  name,
  command: (file) => [process.execPath, program('replay-run.ts'), what, file],
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
    name: 'waybill replay, judging included',
    rounds: 1,
    command: (file, folder) => {
      const cluster = join(folder, 'cluster.json');
      writeFileSync(cluster, clusterManifest());
      return [process.execPath, program('../cli/waybill.ts'), 'replay', file, '--cluster', cluster, '-o', 'json'];
    },
  },
];

/** Seconds of one core; throws where the contender did not count every packet. */
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
    if (status !== 0) throw new Error(`${contender.name} ended with ${status}`);
    const counted = contender.counted?.(stdout, folder) ?? packets;
    if (counted !== packets) throw new Error(`${contender.name} counted ${counted} of ${packets} packets`);
    const [user, system] = stderr.trim().split(' ').map(Number);
    return user! + system!;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Seconds of each contender, a figure a round: in turn, so that what changes on the machine changes for all. */
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

/** How many times faster than the peer, round by round; the median of that. */
function timesFaster(own: readonly number[], peer: readonly number[]): number {
  return percentile(
    own.map((seconds, round) => peer[round]! / seconds),
    0.5,
  );
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
    process.stdout.write(`${file.name}: ${file.says}\n`);
    for (const [{ name }, figures] of seconds) {
      const rate = Math.round(file.traffic.packets / percentile(figures, 0.5)).toLocaleString('en');
      const times = timesFaster(figures, peer).toFixed(2);
      process.stdout.write(`  ${name.padEnd(36)} ${rate.padStart(11)} packets/s  ${times} x nfpcapd\n`);
    }
    worst = Math.min(worst, timesFaster(seconds.get(waybill)!, peer));
  }
} finally {
  rmSync(scratch, { recursive: true });
}
process.stdout.write(
  `${budgetLine({ name: 'replay-vs-nfpcapd', figure: worst, unit: 'x', limit: 1, better: 'higher' })}\n`,
);
