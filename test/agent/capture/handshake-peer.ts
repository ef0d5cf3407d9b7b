// Runs in a network namespace of its own, the node. A pod connects with the kernel's TCP to a peer that sends what it wants.
// Prints as JSON what the pod received, and the records of the capture source at the pod's interface.
//   node handshake-peer.ts SOURCE BEHAVIOUR
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { PacketAccounting } from '../../../accounting/accounting.ts';
import { loadProgram } from '../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../agent/capture/ebpf/source.ts';
import { PcapSource } from '../../../agent/capture/pcap/source.ts';
import type { CaptureSource } from '../../../agent/capture/source.ts';
import { recv, send } from '../../../kernel/libc.ts';
import { bindPacketSocket, ETH_P_ALL, openPacketSocket } from '../../../kernel/packet-socket.ts';
import { ACK, type ConnectionRecord, FIN, PSH, SYN } from '../../../model/record.ts';
import { ethernet, ip4, tcp } from '../../scene/packets.ts';
import { nowUs } from './ebpf/node-link.ts';

export type Handshake = { received: number; podIsn: number; records: ConnectionRecord[] };

const [podAddress, peerAddress, port] = ['10.0.0.2', '10.0.0.9', 80];
const peerIsn = 5_000;
const [requestBytes, responseBytes] = [7, 11];
const MSG_DONTWAIT = 0x40;
const ipAt = 14;
const tcpAt = 34;

type Segment = { flags: number; port: number; sequence: number; acknowledged: number; length: number };

/** A peer with a packet socket at the node's end. The kernel of the node drops what the pod sends to it. */
class Peer {
  readonly #fd = openPacketSocket();
  readonly #frame = Buffer.alloc(2_000);
  /** From the pod's first SYN. */
  podIsn: number | undefined;
  #podPort = 0;
  /** The next number that the pod expects, and the next one of the pod. */
  next = peerIsn + 1;
  podNext = 0;

  constructor(link: number) {
    if (bindPacketSocket(this.#fd, link, ETH_P_ALL) !== 0) throw new Error('the packet socket cannot be bound');
  }

  send(flags: string, { sequence = this.next, acknowledged = this.podNext, payload = 0 } = {}): void {
    const body = tcp(port, this.#podPort, flags, { sequence, acknowledged, payload });
    const frame = ethernet(ip4(peerAddress, podAddress, body));
    addChecksums(frame);
    if (send(this.#fd, frame, frame.length, 0) !== frame.length) throw new Error('not sent');
  }

  /** The pod's next segment with all of `flags`. */
  async expect(flags: number): Promise<Segment> {
    for (let tries = 0; tries < 2_000; tries++) {
      const segment = this.#read();
      if (segment === undefined) await pause(1);
      else if ((segment.flags & flags) === flags) return segment;
    }
    throw new Error(`the pod sent no segment with flags ${flags}`);
  }

  #read(): Segment | undefined {
    const frame = this.#frame;
    const length = recv(this.#fd, frame, frame.length, MSG_DONTWAIT);
    const isFromPod = length >= tcpAt + 20 && frame[ipAt + 9] === 6 && frame.readUInt32BE(ipAt + 12) === 0x0a_00_00_02;
    if (length <= 0) return undefined;
    if (!isFromPod) return this.#read();
    const segment = {
      flags: frame[tcpAt + 13]!,
      port: frame.readUInt16BE(tcpAt),
      sequence: frame.readUInt32BE(tcpAt + 4),
      acknowledged: frame.readUInt32BE(tcpAt + 8),
      length: frame.readUInt16BE(ipAt + 2) - 20 - (frame[tcpAt + 12]! >> 4) * 4,
    };
    this.podIsn ??= segment.sequence;
    this.#podPort = segment.port;
    this.podNext = (segment.sequence + segment.length + (segment.flags & (SYN | FIN) ? 1 : 0)) >>> 0;
    return segment;
  }
}

/** How the peer answers the pod's SYN. */
const handshakes: Record<string, (peer: Peer) => Promise<void>> = {
  async usual(peer) {
    peer.send('SA', { sequence: peerIsn });
    await peer.expect(ACK);
  },
  async split(peer) {
    peer.send('S', { sequence: peerIsn, acknowledged: 0 });
    await peer.expect(SYN | ACK);
    peer.send('A');
  },
  async 'split after an acknowledgement'(peer) {
    peer.send('A', { sequence: peerIsn });
    await handshakes.split!(peer);
  },
  async simultaneous(peer) {
    peer.send('S', { sequence: peerIsn, acknowledged: 0 });
    await peer.expect(SYN | ACK);
    peer.send('SA', { sequence: peerIsn });
    await peer.expect(ACK);
  },
};

/** What the pod's kernel ignores, or answers with an ACK that repeats what it has. */
async function lie(peer: Peer): Promise<void> {
  const { next, podNext } = peer;
  for (const [flags, sequence] of [
    ['S', 1],
    ['S', next - 1],
    ['S', next],
    ['R', next + 500_000_000],
    ['S', next - 1],
    ['FA', next + 500_000_000],
    ['SA', next - 1],
  ] as const) {
    peer.send(flags, { sequence, acknowledged: flags === 'S' ? 0 : podNext });
    await pause(60);
  }
}

async function converse(peer: Peer, behaviour: string): Promise<void> {
  await peer.expect(SYN);
  await handshakes[behaviour === 'lying' ? 'usual' : behaviour]!(peer);
  await peer.expect(PSH);
  if (behaviour === 'lying') await lie(peer);
  peer.send('PA', { payload: responseBytes });
  peer.next += responseBytes;
  await peer.expect(FIN);
  peer.send('FA');
}

/** Runs in the pod. Prints how many bytes it received. */
async function client(): Promise<void> {
  const socket = connect(port, peerAddress);
  socket.on('error', (error) => process.stderr.write(`${error.message}\n`));
  let received = 0;
  socket.on('data', (bytes: Buffer) => {
    received += bytes.length;
    if (received >= responseBytes) socket.end();
  });
  socket.write(Buffer.alloc(requestBytes));
  await once(socket, 'close');
  process.stdout.write(`${received}`);
}

async function main(name: 'ebpf' | 'tap' | 'pcap', behaviour: string): Promise<Handshake> {
  const pod = spawn('unshare', ['-n', 'sleep', '60'], { stdio: 'ignore' });
  const inPod = ['-t', `${pod.pid}`, '-n'];
  while (
    execFileSync('nsenter', [...inPod, 'ip', '-br', 'link'])
      .toString()
      .split('\n').length !== 2
  )
    await pause(25);
  const run = (line: string) => execFileSync('sh', ['-c', line]);
  run(`ip link add host address 02:00:00:00:00:02 type veth peer name eth0 address 02:00:00:00:00:01 netns ${pod.pid}`);
  run('ip link set lo up && ip link set host addrgenmode none && ip link set host up');
  const lines = [
    ...['ip link set eth0 addrgenmode none', 'ip link set eth0 up', `ip address add ${podAddress}/24 dev eth0`],
    `ip neighbour add ${peerAddress} lladdr 02:00:00:00:00:02 dev eth0`,
  ];
  execFileSync('nsenter', [...inPod, 'sh', '-c', lines.join(' && ')]);
  const [{ ifindex }] = JSON.parse(run('ip -j link show host').toString()) as [{ ifindex: number }];
  const source = open(name);
  const records: ConnectionRecord[] = [];
  source.watch({ index: ifindex, name: 'host', appearedUs: 0 });
  const timer = setInterval(() => source.drain(nowUs(), (record) => records.push(record)), 20);
  const peer = new Peer(ifindex);
  const started = spawn('nsenter', [...inPod, process.execPath, import.meta.filename, 'client']);
  started.stderr.pipe(process.stderr);
  let printed = '';
  started.stdout.on('data', (text: Buffer) => {
    printed += text.toString();
  });
  const closed = once(started, 'close');
  await converse(peer, behaviour);
  await closed;
  clearInterval(timer);
  await source.close((record) => records.push(record));
  pod.kill('SIGKILL');
  return { received: Number(printed), podIsn: peer.podIsn!, records };
}

function open(name: 'ebpf' | 'tap' | 'pcap'): CaptureSource {
  const options = { maxConnections: 1_000, reportEveryUs: 1, nowUs, seed: 7, bufferBytes: 1_000_000 };
  const accounting = new PacketAccounting();
  if (name === 'pcap') return new PcapSource(options, accounting);
  const eventHandlers = { translation: () => undefined, dns: () => undefined };
  return new KernelSource(
    name,
    loadProgram(name, 1_000),
    options,
    accounting,
    eventHandlers,
    pino({ level: 'silent' }),
  );
}

function addChecksums(frame: Buffer): void {
  frame.writeUInt16BE(checksum(frame.subarray(ipAt, tcpAt)), ipAt + 10);
  const segment = frame.subarray(tcpAt);
  const pseudoHeader = Buffer.concat([frame.subarray(ipAt + 12, tcpAt), Buffer.from([0, 6, 0, segment.length])]);
  frame.writeUInt16BE(checksum(Buffer.concat([pseudoHeader, segment])), tcpAt + 16);
}

/** RFC 1071 */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

if (process.argv[2] === 'client') await client();
else if (import.meta.main) {
  const [name, behaviour] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(await main(name as 'ebpf' | 'tap' | 'pcap', behaviour!)));
  process.exit(0);
}
