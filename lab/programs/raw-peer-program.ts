// Sends frames as they are from the interface eth0 of its namespace, and reports IPv4 packets that arrive there, also those
// that the kernel then drops. Reads commands as JSON lines on stdin, writes replies as JSON lines on stdout.
//   node raw-peer-program.ts INTERFACE-INDEX
//   {"id":1,"send":["HEX"],"times":1,"perSecond":0}
//   {"id":2,"synFlood":{"header":"HEX","source":"10.0.1.2","count":1000,"perSecond":20000}}
//   {"id":3,"watch":{"protocol":6,"port":4443}}
import { createInterface } from 'node:readline';
import { checkSystemCall } from '../../kernel/errno.ts';
import { recv } from '../../kernel/libc.ts';
import { bindPacketSocket, openPacketSocket, sendFrame } from '../../kernel/packet-socket.ts';
import type { Address } from '../../model/address.ts';
import { packet, portsOf, tcp } from './packet.ts';

/** `header` is an Ethernet header. The SYNs go to random addresses outside of the lab, from and to random ports. */
export type SynFlood = { header: string; source: Address; count: number; perSecond: number };
/** Packets of this protocol, to or from this port. Without a port: all of them. */
export type Watch = { protocol: number; port?: number };
export type RawCommand =
  /** Sends all frames in turn, `times` times. `perSecond` 0: as fast as possible. */
  | { id: number; send: readonly string[]; times: number; perSecond: number }
  | { id: number; synFlood: SynFlood }
  /** In addition to those watched already. */
  | { id: number; watch: Watch };
/** `refused`: frames that the kernel did not send. */
export type RawReply = { ready: true } | { id: number; refused: number } | { packet: string };

const ETH_P_IP = 0x0800;
const MSG_DONTWAIT = 0x40;
const frameHeaderBytes = 14;
const pollMs = 1;
const burst = 50;

const interfaceIndex = Number(process.argv[2]);
const sender = checkSystemCall('socket', openPacketSocket());
const watched: Watch[] = [];

async function execute(command: RawCommand): Promise<void> {
  reply({ id: command.id, refused: await refusedOf(command) });
}

async function refusedOf(command: RawCommand): Promise<number> {
  if ('send' in command) return sendAll(command);
  if ('synFlood' in command) return flood(command.synFlood);
  if (watched.length === 0) receive();
  watched.push(command.watch);
  return 0;
}

function reply(message: RawReply): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function sendAll({ send, times, perSecond }: { send: readonly string[]; times: number; perSecond: number }) {
  const frames = send.map((hex) => Buffer.from(hex, 'hex'));
  return paced(frames.length * times, perSecond, (i) => frames[i % frames.length]!);
}

function flood({ header, source, count, perSecond }: SynFlood): Promise<number> {
  const ethernet = Buffer.from(header, 'hex');
  return paced(count, perSecond, () => {
    const syn = tcp(randomBetween(1024, 65_535), randomBetween(1, 65_535), 'S', {
      sequence: randomBetween(1, 2 ** 32),
    });
    return Buffer.concat([ethernet, packet(source, randomOutside(), syn)]);
  });
}

/** Resolves with the number of frames that the kernel refused. */
async function paced(count: number, perSecond: number, frameAt: (i: number) => Buffer): Promise<number> {
  const startMs = performance.now();
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const frame = frameAt(i);
    if (sendFrame(sender, frame, interfaceIndex, frame.readUInt16BE(12)) < 0) refused += 1;
    if (i % burst !== burst - 1) continue;
    const dueMs = perSecond === 0 ? 0 : (i / perSecond) * 1000 - (performance.now() - startMs);
    await new Promise((resolve) => (dueMs > 1 ? setTimeout(resolve, dueMs) : setImmediate(resolve)));
  }
  return refused;
}

/** No block of the lab, no loopback and no multicast: 11.0.0.0 to 100.255.255.255. */
function randomOutside(): Address {
  const byte = () => randomBetween(0, 255);
  return `${randomBetween(11, 100)}.${byte()}.${byte()}.${randomBetween(1, 254)}` as Address;
}

function randomBetween(low: number, high: number): number {
  return low + Math.floor(Math.random() * (high - low + 1));
}

/** Polls: a blocking call would stop this program from reading its commands. */
function receive(): void {
  const receiver = checkSystemCall('socket', openPacketSocket());
  // With ETH_P_IP the socket gets no packets that this host sends.
  checkSystemCall('bind', bindPacketSocket(receiver, interfaceIndex, ETH_P_IP));
  const buffer = Buffer.alloc(2048);
  setInterval(() => {
    for (let length = next(); length > 0; length = next()) {
      const ip = buffer.subarray(frameHeaderBytes, Math.min(length, buffer.length));
      if (isWatched(ip)) reply({ packet: ip.toString('hex') });
    }
  }, pollMs);
  const next = () => recv(receiver, buffer, buffer.length, MSG_DONTWAIT);
}

function isWatched(ip: Buffer): boolean {
  return watched.some(({ protocol, port }) => ip[9] === protocol && (port === undefined || portsOf(ip).includes(port)));
}

reply({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  execute(JSON.parse(line) as RawCommand).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
}
process.exit(0);
