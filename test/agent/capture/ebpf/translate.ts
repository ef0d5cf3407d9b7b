// Runs in a network namespace of its own: a node that translates packets from its pod to a Service address, and our program at
// the pod's interface. Prints as JSON the translated ports that the program reported, in order.
//   node translate.ts TRAFFIC
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';

const service = '10.0.0.9';
const node = '10.0.0.1';
const sourcePort = 40_000;
const ruleset = `
table ip service {
  chain translate {
    type nat hook prerouting priority -100;
    ip daddr ${service} udp dport 53 dnat to ${node}:5353
    ip daddr ${service} tcp dport 80 dnat ip to numgen inc mod 2 map { 0 : ${node} . 8001, 1 : ${node} . 8002 }
    ip daddr ${service} tcp dport 81 dnat to ${node}:8003
  }
  chain silence {
    type filter hook output priority 0;
    tcp sport 8003 drop
  }
}`;

/** Runs in the pod. */
const traffics: Record<string, () => Promise<void>> = {
  'live UDP': () => datagrams(150, 20),
  'slow UDP': () => datagrams(4, 600),
  async 'SYN retries'() {
    const socket = connect({ host: service, port: 81 });
    socket.on('error', () => undefined);
    await pause(3_500);
    socket.destroy();
  },
  async 'a port used again'() {
    for (let times = 0; times < 2; times++) {
      const socket = connect({ host: service, port: 80, localPort: sourcePort });
      socket.resume().on('end', () => socket.end());
      await once(socket, 'close');
      await pause(300);
    }
  },
};

async function datagrams(times: number, everyMs: number): Promise<void> {
  const socket = createSocket('udp4');
  for (let sent = 0; sent < times; sent++) {
    socket.send('x', 53, service);
    await pause(everyMs);
  }
  socket.close();
}

async function main(traffic: string): Promise<number[]> {
  const other = spawn('unshare', ['-n', 'sleep', '60'], { stdio: 'ignore' });
  const inPod = ['-t', String(other.pid), '-n'];
  const ip = (words: string) => execFileSync('ip', words.split(' '));
  const podIp = (words: string) => execFileSync('nsenter', [...inPod, 'ip', ...words.split(' ')]);
  while (podIp('-br link').toString().split('\n').length !== 2) await pause(25);
  ip('link set lo up');
  ip(`link add vh type veth peer name eth0 netns ${other.pid}`);
  ip('link set vh addrgenmode none');
  ip(`address add ${node}/24 dev vh`);
  ip('link set vh up');
  podIp('link set eth0 addrgenmode none');
  podIp('address add 10.0.0.2/24 dev eth0');
  podIp('link set eth0 up');
  podIp(`route add ${service} via ${node}`);
  podIp(`route add default via ${node}`);
  ip(`address add ${service}/32 dev lo`);
  execFileSync('nft', ['-f', '-'], { input: ruleset });
  const silent = createSocket('udp4').bind(5353, node);
  // The server ends first, so that the pod's port is free at once.
  const servers = [8001, 8002, 8003].map((port) => createServer((socket) => socket.end('x')).listen(port, node));

  const reached: number[] = [];
  const [{ ifindex }] = JSON.parse(execFileSync('ip', ['-j', 'link', 'show', 'vh']).toString()) as [
    { ifindex: number },
  ];
  const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;
  const options = { maxConnections: 1_000, reportEveryUs: 1_000_000, nowUs, seed: 7 };
  const source = new KernelSource(
    'ebpf',
    loadProgram('ebpf', 1_000),
    options,
    new PacketAccounting(),
    { translation: (_, { translated }) => reached.push(translated.responderPort), dns: () => undefined },
    pino({ level: 'silent' }),
  );
  source.watch({ index: ifindex, name: 'vh', appearedUs: 0 });
  const timer = setInterval(() => source.drain(nowUs(), () => undefined), 100);
  await once(spawn('nsenter', [...inPod, process.execPath, import.meta.filename, traffic, 'in the pod']), 'close');
  clearInterval(timer);
  await source.close(() => undefined);
  for (const server of servers) server.close();
  silent.close();
  other.kill('SIGKILL');
  return reached;
}

const [traffic, where] = process.argv.slice(2);
if (where === undefined) process.stdout.write(JSON.stringify(await main(traffic!)));
else await traffics[traffic!]!();
