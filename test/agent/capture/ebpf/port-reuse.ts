// Runs in a network namespace of its own. Sends TCP connections that use few ports again and again, each packet at the end of
// the veth pair that it comes from, while our program at the host's end is read often. Prints what came over the wire as JSON.
//   node port-reuse.ts SOURCE CONNECTIONS
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readSync, writeSync } from 'node:fs';
import { pino } from 'pino';
import { PacketAccounting } from '../../../../accounting/accounting.ts';
import { loadProgram } from '../../../../agent/capture/ebpf/program.ts';
import { KernelSource } from '../../../../agent/capture/ebpf/source.ts';
import { send as sendBytes } from '../../../../kernel/libc.ts';
import { bindPacketSocket, openPacketSocket } from '../../../../kernel/packet-socket.ts';
import { TCP } from '../../../../model/protocol.ts';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { decodeRecords } from '../../../../proto/decode.ts';
import { encodeRecords } from '../../../../proto/encode.ts';
import { packBatch, serializeWithPacked } from '../../../../proto/pack.ts';
import { flowIngestDefinition } from '../../../../proto/wire.ts';
import { ethernet, ip4, tcp } from '../../../scene/packets.ts';
import { makePair, nowUs } from './node-link.ts';

export type PortReuse = {
  /** Different pairs of ends and beginning. */
  connections: number;
  /** Connections by what is wrong with them. */
  wrong: Record<string, number>;
  examples: string[];
  lost: Record<string, number>;
  drains: number;
};

const ports = 500;
const drainEveryMs = 2;
/** The sender is at most two chunks ahead of the drains: more reused ports would exceed the part of the ring of an interface. */
const chunk = 250;
const firstPort = 40_000;
const maxConnections = 131_072;
/** Packets of one connection: SYN, ACK, FIN, last ACK; and SYN-ACK, FIN. */
const packets = { forward: 4, reverse: 2 };

/** The initial sequence number of the nth connection. */
const isnOf = (n: number) => (n * 64_000) >>> 0;

/** In a process of its own, so that it sends at any moment of a drain. */
function send(links: { pod: number; host: number }, connections: number): void {
  const socketAt = (link: number) => {
    const fd = openPacketSocket();
    if (bindPacketSocket(fd, link, 0) !== 0) throw new Error('the packet socket cannot be bound');
    return fd;
  };
  const [pod, host] = [socketAt(links.pod), socketAt(links.host)];
  const [sequenceAt, acknowledgedAt, clientPortAt, serverPortAt] = [38, 42, 34, 36];
  const there = (flags: string) => ethernet(ip4('10.0.0.1', '10.0.1.1', tcp(firstPort, 80, flags)));
  const back = (flags: string) => ethernet(ip4('10.0.1.1', '10.0.0.1', tcp(80, firstPort, flags)));
  const [syn, ack, fin, synAck, finBack] = [there('S'), there('A'), there('FA'), back('SA'), back('FA')];
  const pass = (frame: Buffer, port: number, sequence: number, acknowledged: number) => {
    const isThere = frame !== synAck && frame !== finBack;
    frame.writeUInt16BE(port, isThere ? clientPortAt : serverPortAt);
    frame.writeUInt32BE(sequence >>> 0, sequenceAt);
    frame.writeUInt32BE(acknowledged >>> 0, acknowledgedAt);
    if (sendBytes(isThere ? pod : host, frame, frame.length, 0) !== frame.length) throw new Error('not sent');
  };
  for (let n = 0; n < connections; n++) {
    const port = firstPort + (n % ports);
    const isn = isnOf(n);
    const answer = isn + 7;
    pass(syn, port, isn, 0);
    pass(synAck, port, answer, isn + 1);
    pass(ack, port, isn + 1, answer + 1);
    pass(fin, port, isn + 1, answer + 1);
    pass(finBack, port, answer + 1, isn + 2);
    pass(ack, port, isn + 2, answer + 2);
    if (n % chunk !== 0) continue;
    writeSync(1, '.');
    if (n > 0) readSync(0, Buffer.alloc(1));
  }
}

/** As the collector gets them. */
function overTheWire(records: readonly ConnectionRecord[]): ConnectionRecord[] {
  const { requestDeserialize } = flowIngestDefinition().Stream;
  const envelope = { node: 'n', instance: 'i', sequence: 1, sentUs: 1, coveredUntilUs: 1, state: null };
  const packed = packBatch(encodeRecords(records), null);
  const batch = requestDeserialize(serializeWithPacked({ ...envelope, records: null, names: null }, packed));
  const decoded = decodeRecords(batch.records!, records.length);
  if ('fault' in decoded) throw new Error(decoded.fault);
  return decoded.records;
}

/** Adds up the records of each connection, by its ends and beginning. */
class Connections {
  readonly #connections = new Map<
    string,
    { isn: number | undefined; forward: number; reverse: number; ended: boolean }
  >();
  readonly #wrong: Record<string, number> = {};
  readonly #examples: string[] = [];

  add(record: ConnectionRecord): void {
    if (record.protocol !== TCP) return;
    const { initiatorPort, responderPort, beganUs, isn, packets: counted, ended } = record;
    const key = `${initiatorPort} ${responderPort} ${beganUs}`;
    const before = this.#connections.get(key);
    this.#connections.set(key, {
      isn,
      forward: counted.forward + (before?.forward ?? 0),
      reverse: counted.reverse + (before?.reverse ?? 0),
      ended,
    });
    if (before !== undefined && before.isn !== isn) this.#note('another number', key, record);
    if (record.initiatorBy !== 'handshake') this.#note('inferred', key, record);
    if (record.rttUs !== 0 && record.rttUs > 1_000_000) this.#note('round trip', key, record);
  }

  result(accounting: PacketAccounting, drains: number): PortReuse {
    for (const [key, one] of this.#connections) {
      if (one.forward !== packets.forward || one.reverse !== packets.reverse) this.#note('packets', key, one);
      if (!one.ended) this.#note('not ended', key, one);
    }
    const isns = new Set([...this.#connections.values()].map(({ isn }) => isn));
    if (isns.size !== this.#connections.size) this.#note('one number, two connections', '', {});
    const { lost } = accounting.snapshot();
    return { connections: this.#connections.size, wrong: this.#wrong, examples: this.#examples, lost, drains };
  }

  #note(what: string, key: string, of: object): void {
    this.#wrong[what] = (this.#wrong[what] ?? 0) + 1;
    if (this.#examples.length < 10) this.#examples.push(`${what}: ${key} ${JSON.stringify(of)}`);
  }
}

async function main(name: 'ebpf' | 'tap', connections: number): Promise<PortReuse> {
  const links = makePair();
  execFileSync('sh', ['-c', 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1']);
  const accounting = new PacketAccounting();
  const options = { maxConnections, reportEveryUs: 1_000_000, nowUs, seed: 7 };
  const eventHandlers = { translation: () => undefined, dns: () => undefined };
  const program = loadProgram(name, maxConnections);
  const source = new KernelSource(name, program, options, accounting, eventHandlers, pino({ level: 'silent' }));
  source.watch({ index: links.host, name: 'host', appearedUs: 0 });
  const seen = new Connections();
  let records: ConnectionRecord[] = [];
  let drains = 0;
  let sentChunks = 0;
  const drain = () => {
    // Nothing is read while programs may still write to the table.
    if (source.drain(nowUs(), (record) => records.push(record)) === 0) return;
    sender.stdin.write('.'.repeat(sentChunks));
    sentChunks = 0;
    drains += 1;
    for (const record of overTheWire(records)) seen.add(record);
    records = [];
  };
  const sender = spawn(process.execPath, [
    import.meta.filename,
    'send',
    `${links.pod}`,
    `${links.host}`,
    `${connections}`,
  ]);
  sender.stderr.pipe(process.stderr);
  sender.stdin.on('error', () => undefined); // it may have ended
  sender.stdout.on('data', (dots: Buffer) => {
    sentChunks += dots.length;
  });
  const timer = setInterval(drain, drainEveryMs);
  const [code] = (await once(sender, 'exit')) as [number];
  clearInterval(timer);
  if (code !== 0) throw new Error('the sender failed');
  await source.close((record) => records.push(record));
  for (const record of overTheWire(records)) seen.add(record);
  return seen.result(accounting, drains);
}

if (process.argv[2] === 'send') {
  const [pod, host, connections] = process.argv.slice(3).map(Number);
  send({ pod: pod!, host: host! }, connections!);
} else {
  const [name, connections] = process.argv.slice(2);
  process.stdout.write(JSON.stringify(await main(name as 'ebpf' | 'tap', Number(connections))));
}
