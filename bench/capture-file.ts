// Writes capture files for benchmarks: overlapping conversations as on a node, truncated as by `tcpdump -s 128`, the same
// file on every run.
import { closeSync, openSync, writeSync } from 'node:fs';
import { Conversation, maxHeaderBytes, type Random } from './conversation.ts';

/** `atOnce` connections are in progress. `varied`: IPv4 and IPv6, TCP and UDP, a VLAN tag on every third connection. */
export type Traffic = { packets: number; connections: number; atOnce: number; mix: 'tcp' | 'varied' };

export const clients = 1_000;
export const servers = 100;
export const serverPorts: readonly number[] = [443, 5432, 6379, 8080, 9092];

const snapLength = 128;
/** A connection has at least handshake, request, answer and shutdown. */
const minPackets = 8;
const meanGapUs = 100;
const beginSeconds = 1_750_000_000;
const chunkBytes = 1 << 20;
/** A frame's headers, and the format's bytes around them. */
const maxRecordBytes = maxHeaderBytes + 64;

/** A file format. `close` completes the record of a packet whose headers are at `at + before`, and returns its end. */
export type Framing = {
  before: number;
  header(): Buffer;
  close(into: Buffer, at: number, timeUs: number, captured: number, length: number): number;
};

/** Times in microseconds, as tcpdump writes them. */
export const pcap: Framing = {
  before: 16,
  header: () => words(0xa1b2c3d4, 0x00040002, 0, 0, snapLength, 1),
  close(into, at, timeUs, captured, length) {
    into.writeUInt32LE(beginSeconds + Math.floor(timeUs / 1_000_000), at);
    into.writeUInt32LE(timeUs % 1_000_000, at + 4);
    into.writeUInt32LE(captured, at + 8);
    into.writeUInt32LE(length, at + 12);
    return at + 16 + captured;
  },
};

/** Times in nanoseconds, as Wireshark's dumpcap writes them. */
export const pcapng: Framing = {
  before: 28,
  header: () =>
    Buffer.concat([
      words(0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28),
      words(1, 32, 1, snapLength, 0x00010009, 9, 0, 32), // interface: Ethernet, if_tsresol 9
    ]),
  close(into, at, timeUs, captured, length) {
    const blockBytes = 32 + Math.ceil(captured / 4) * 4;
    const ns = BigInt(beginSeconds * 1_000_000 + timeUs) * 1_000n;
    into.writeUInt32LE(6, at);
    into.writeUInt32LE(blockBytes, at + 4);
    into.writeUInt32LE(0, at + 8);
    into.writeUInt32LE(Number(ns >> 32n), at + 12);
    into.writeUInt32LE(Number(ns & 0xffffffffn), at + 16);
    into.writeUInt32LE(captured, at + 20);
    into.writeUInt32LE(length, at + 24);
    into.writeUInt32LE(blockBytes, at + blockBytes - 4);
    return at + blockBytes;
  },
};

export function writeCapture(path: string, framing: Framing, traffic: Traffic): void {
  const random = randomFrom(20_260_417);
  const lengths = packetCounts(traffic, random);
  const file = openSync(path, 'w');
  writeSync(file, framing.header());
  const chunk = Buffer.alloc(chunkBytes);
  const live: Conversation[] = [];
  let [at, timeUs, started] = [0, 0, 0];
  const start = () => {
    const nth = started++;
    return conversation(nth, lengths[nth]!, traffic.mix, random);
  };
  while (live.length < traffic.atOnce && started < lengths.length) live.push(start());
  while (live.length > 0) {
    timeUs += Math.ceil(-Math.log(1 - random()) * meanGapUs);
    const chosen = Math.floor(random() * live.length);
    const length = live[chosen]!.next(chunk, at + framing.before);
    at = framing.close(chunk, at, timeUs, Math.min(length, snapLength), length);
    if (live[chosen]!.isOver) {
      const after = started < lengths.length ? start() : live.pop()!;
      if (chosen < live.length) live[chosen] = after;
    }
    if (at + maxRecordBytes <= chunkBytes) continue;
    writeSync(file, chunk, 0, at);
    at = 0;
  }
  writeSync(file, chunk, 0, at);
  closeSync(file);
}

/** Packets of each connection: most have few, some have many (Pareto). Their sum is exact. */
function packetCounts({ packets, connections }: Traffic, random: Random): number[] {
  const weights = Array.from({ length: connections }, () => (1 - random()) ** (-1 / 1.5));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const extraPackets = packets - connections * minPackets;
  const lengths = weights.map((weight) => minPackets + Math.floor((weight / sum) * extraPackets));
  const missing = packets - lengths.reduce((total, length) => total + length, 0);
  return lengths.map((length, i) => (i < missing ? length + 1 : length));
}

/** No two have the same addresses and ports. */
function conversation(nth: number, packets: number, mix: Traffic['mix'], random: Random): Conversation {
  const ends = {
    client: 1 + (nth % clients),
    server: 1 + Math.floor(random() * servers),
    clientPort: 32_768 + Math.floor(nth / clients),
    serverPort: serverPorts[Math.floor(random() * serverPorts.length)]!,
  };
  const isVaried = mix === 'varied';
  const network = isVaried && nth % 2 === 1 ? 'ipv6' : 'ipv4';
  const transport = isVaried && nth % 4 >= 2 ? 'udp' : 'tcp';
  return new Conversation(ends, { network, transport, vlan: isVaried && nth % 3 === 0 }, packets, random);
}

/** Mulberry32: the same figures from 0 to 1 for the same seed. */
function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, i * 4);
  return bytes;
}
