// Runs in a network namespace of its own. A pod's interface comes up while packets are already sent to it, and disappears
// right after a burst of packets; this repeats. Follows links and reads rows as the agent does. Prints the results as JSON.
//   node come-and-go.ts SOURCE ROUNDS
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';
import { ipProgram, PodLinks } from '../../../../agent/interfaces/links.ts';
import { systemClock } from '../../../../cluster/clock.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { until } from '../../../scene/until.ts';

/** `seenMs`, `reportedMs`: from link up to the first packet seen, and to its record. `ended`: ended burst connections. */
export type Round = { seenMs: number; reportedMs: number; ended: number };

const lastPackets = 50;
const drainEveryMs = 200;
const [firstPort, burstPort] = [1000, 2000];

async function main(name: 'ebpf' | 'tap', rounds: number): Promise<Round[]> {
  const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;
  const log = pino({ level: 'silent' });
  const options = { maxConnections: 10_000, reportEveryUs: 1_000_000, nowUs, seed: 7 };
  const eventHandlers = { translation: () => undefined, dns: () => undefined };
  const source = new KernelSource(name, loadProgram(name, 10_000), options, new PacketAccounting(), eventHandlers, log);
  const links = new PodLinks(
    ipProgram,
    {
      appeared(link) {
        source.watch(link);
        return true;
      },
      disappeared: (index) => source.forget({ index, name: '', appearedUs: 0 }),
    },
    { ...systemClock, nowUs },
    log,
  );
  await links.start();
  const records: ConnectionRecord[] = [];
  const timer = setInterval(() => source.drain(nowUs(), (record) => records.push(record)), drainEveryMs);
  const outcomes: Round[] = [];
  for (let i = 0; i < rounds; i++) outcomes.push(await round(records, nowUs));
  clearInterval(timer);
  links.stop();
  await source.close(() => undefined);
  return outcomes;
}

async function round(records: ConnectionRecord[], nowUs: () => number): Promise<Round> {
  records.length = 0;
  const pod = spawn('unshare', ['-n', 'sleep', '60'], { stdio: 'ignore' });
  const inPod = (words: string) => execFileSync('nsenter', ['-t', String(pod.pid), '-n', 'ip', ...words.split(' ')]);
  const ip = (words: string) => execFileSync('ip', words.split(' '));
  await until('the pod has a namespace', () => !inPod('-br link').toString().includes('host'));
  ip('link add host type veth peer name eth0 address 02:00:00:00:00:02');
  ip(`link set eth0 netns ${pod.pid}`);
  ip('link set host addrgenmode none');
  inPod('address add 10.0.0.2/24 dev eth0');
  inPod('link set eth0 up');
  ip('address add 10.0.0.1/24 dev host');
  const [{ ifindex }] = JSON.parse(ip('-j link show host').toString()) as [{ ifindex: number }];
  const socket = createSocket('udp4').on('error', () => undefined);
  const send = (port: number) => new Promise((resolve) => socket.send('x', port, '10.0.0.2', resolve));
  const upUs = nowUs();
  ip('link set host up');
  ip('neigh replace 10.0.0.2 lladdr 02:00:00:00:00:02 dev host nud permanent');
  const sending = setInterval(() => send(firstPort), 5);
  const own = () => records.filter((record) => record.interfaceIndex === ifindex);
  await until('a record of the interface', () => own().length > 0);
  const [first] = own();
  const reportedUs = nowUs();
  clearInterval(sending);
  for (let i = 0; i < lastPackets; i++) await send(burstPort + i);
  ip('link delete host');
  const ended = () => own().filter((record) => record.responderPort >= burstPort && record.ended).length;
  await until('the last packets are in records', () => ended() === lastPackets).catch(() => undefined);
  socket.close();
  pod.kill('SIGKILL');
  return { seenMs: (first!.firstUs - upUs) / 1000, reportedMs: (reportedUs - upUs) / 1000, ended: ended() };
}

const [name, rounds] = process.argv.slice(2) as ['ebpf' | 'tap', string];
process.stdout.write(JSON.stringify(await main(name, Number(rounds))));
process.exit(0);
