// Runs in a network namespace of its own. An agent with filters at clsact is killed, and the next one watches the same
// interface, with each source. Prints as JSON the number of our filters after each step.
//   node left.ts            the test
//   node left.ts hold INDEX watches and waits to be killed
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { PcapSource } from '../../../../agent/capture/pcap/source.ts';
import type { CaptureSource } from '../../../../agent/capture/source.ts';
import { makePair, nowUs, shell, Watching } from './node-link.ts';

export type Left = { next: string; held: number; killed: number; watched: number; ended: number };

const options = { bufferBytes: 1 << 20, maxConnections: 1000, reportEveryUs: 1_000_000, nowUs, seed: 7 };
const next: Record<string, () => CaptureSource> = {
  'ebpf at clsact': () => new Watching('ebpf', 'clsact').source,
  'ebpf at TCX': () => new Watching('ebpf', 'tcx').source,
  tap: () => new Watching('tap').source,
  pcap: () => new PcapSource(options, new PacketAccounting()),
};

function ours(): number {
  const shown = shell('tc filter show dev host ingress; tc filter show dev host egress');
  return shown.match(/ handle 0x5742 /g)?.length ?? 0;
}

async function left(name: string, index: number): Promise<Left> {
  const words = [import.meta.filename, 'hold', String(index)];
  const holder = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  const held = ours();
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const killed = ours();
  // Because of this filter an agent at TC uses the tap towards the pod, and adds no filter of its own there.
  shell('tc filter add dev host egress pref 7 bpf bytecode "1,6 0 0 0" direct-action');
  const source = next[name]!();
  source.watch({ index, name: 'host', appearedUs: 0 });
  const watched = ours();
  await source.close(() => undefined);
  const ended = ours();
  shell('tc qdisc del dev host clsact');
  return { next: name, held, killed, watched, ended };
}

if (process.argv[2] === 'hold') {
  new Watching('ebpf', 'clsact').source.watch({ index: Number(process.argv[3]), name: 'host', appearedUs: 0 });
  process.stdout.write('held');
  setInterval(() => undefined, 60_000);
} else {
  const { host } = makePair();
  const all: Left[] = [];
  for (const name of Object.keys(next)) all.push(await left(name, host));
  process.stdout.write(JSON.stringify(all));
  process.exit(0);
}
