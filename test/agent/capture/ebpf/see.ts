// Runs in a network namespace of its own. Sends the frames of a file (JSON, an array of hex) from a pod's interface, and
// prints the records and the accounting of our program as JSON.
//   node see.ts SOURCE FILE
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';
import { RawSender } from '../../../../bench/raw-sender.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';

const [name, file] = process.argv.slice(2) as ['ebpf' | 'tap', string];
execFileSync('sh', ['-c', 'ip link add pod type veth peer name host']);
for (const link of ['pod', 'host']) {
  execFileSync('sh', ['-c', `ip link set ${link} addrgenmode none && ip link set ${link} up`]);
}
const index = (link: string) =>
  (JSON.parse(execFileSync('ip', ['-j', 'link', 'show', link]).toString()) as [{ ifindex: number }])[0].ifindex;
const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;
const accounting = new PacketAccounting();
const options = { maxConnections: 10_000, reportEveryUs: 1_000_000, nowUs, seed: 7 };
const eventHandlers = { translation: () => undefined, dns: () => undefined };
const source = new KernelSource(
  name,
  loadProgram(name, 10_000),
  options,
  accounting,
  eventHandlers,
  pino({ level: 'silent' }),
);
source.watch({ index: index('host'), name: 'host', appearedUs: 0 });
const frames = (JSON.parse(readFileSync(file, 'utf8')) as string[]).map((hex) => Buffer.from(hex, 'hex'));
new RawSender(index('pod'), frames).send(frames.length);
const records: ConnectionRecord[] = [];
await source.close((record) => records.push(record));
process.stdout.write(JSON.stringify({ records, accounting: accounting.snapshot() }));
