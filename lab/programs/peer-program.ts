// The program in every pod and outside host: real sockets that listen, answer and dial. Reads commands as JSON lines on
// stdin, writes replies as JSON lines on stdout.
//   {"name":"web-0","listen":[{"port":80,"protocol":"TCP","answers":true},{"port":53,…,"names":{"www.example.com":["203.0.113.10"]}}]}
//   {"id":1,"dial":{"address":"10.0.1.2","port":80,"protocol":"TCP","bytes":100,"timeoutMs":2500,"sourcePort":20001}}
//   {"id":2,"open":{…},"everyMs":200}   {"id":2,"close":true}
import { createSocket } from 'node:dgram';
import { flushCompileCache } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { PortSpec } from '../topology/cluster.ts';
import { dnsAnswer, dnsQuery, unaskedReply, withLength } from './dns-message.ts';

export type PeerDial = {
  address: string;
  port: number;
  protocol: 'TCP' | 'UDP';
  bytes: number;
  /** The name of a DNS query that is sent in place of the bytes. */
  asks?: string;
  /** The name and the address in a DNS reply that is sent in place of the bytes, though nobody asked. */
  forges?: string;
  timeoutMs: number;
  sourcePort: number;
};
export type PeerCommand =
  /** Every answer begins with `name`: the initiator learns which pod it reached. */
  | { listen: readonly PortSpec[]; name: string }
  | { id: number; dial: PeerDial }
  | { id: number; open: PeerDial; everyMs: number }
  | { id: number; close: true };
export type PeerOutcome = 'established' | 'refused' | 'unanswered';
/** `reached`: the name in the answer; empty if there was no answer, or no name in it. */
export type Reached = { outcome: PeerOutcome; reached: string };
export type PeerReply = ({ id: number } & Reached) | { listening: true };

let ownName = '';
const closers = new Map<number, () => void>();

async function execute(command: PeerCommand): Promise<void> {
  if ('listen' in command) {
    ownName = command.name;
    await Promise.all(command.listen.map(listen));
    flushCompileCache(); // the lab kills this process: nothing is flushed then
    reply({ listening: true });
  } else if ('dial' in command) {
    reply({ id: command.id, ...(await dial(command.dial)) });
  } else if ('open' in command) {
    reply({ id: command.id, outcome: await open(command.id, command.open, command.everyMs), reached: '' });
  } else {
    closers.get(command.id)?.();
    closers.delete(command.id);
    reply({ id: command.id, outcome: 'established', reached: '' });
  }
}

function reply(message: PeerReply): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function listen(wanted: PortSpec): Promise<void> {
  return wanted.protocol === 'TCP'
    ? listenTcp(wanted)
    : Promise.all([listenUdp(wanted, 'udp4'), listenUdp(wanted, 'udp6')]).then(() => undefined);
}

function answerOf({ answers, names, protocol }: PortSpec, data: Buffer): Buffer | undefined {
  if (names === undefined) return answers ? signedEcho(data) : undefined;
  const answer = dnsAnswer(protocol === 'TCP' ? data.subarray(2) : data, names);
  return answer === undefined || protocol === 'UDP' ? answer : withLength(answer);
}

/** As long as the data that it answers; begins with our name if that fits. */
function signedEcho(data: Buffer): Buffer {
  const signature = Buffer.from(`${ownName}\n`);
  return signature.length > data.length ? data : Buffer.concat([signature, data.subarray(signature.length)]);
}

function signerOf(answer: Buffer): string {
  const end = answer.indexOf('\n');
  return end < 0 ? '' : answer.subarray(0, end).toString();
}

function listenTcp(wanted: PortSpec): Promise<void> {
  const { port } = wanted;
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (data: Buffer) => {
      const answer = answerOf(wanted, data);
      if (answer !== undefined) socket.write(answer);
    });
    socket.on('end', () => socket.end());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '::' }, () => resolve());
  });
}

function listenUdp(wanted: PortSpec, type: 'udp4' | 'udp6'): Promise<void> {
  const { port } = wanted;
  const socket = createSocket({ type, ipv6Only: type === 'udp6' });
  socket.on('message', (data, from) => {
    const answer = answerOf(wanted, data);
    if (answer !== undefined) socket.send(answer, from.port, from.address);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, () => {
      socket.on('error', () => undefined);
      resolve();
    });
  });
}

function dial(wanted: PeerDial): Promise<Reached> {
  return wanted.protocol === 'TCP' ? dialTcp(wanted) : dialUdp(wanted);
}

function dialTcp(wanted: PeerDial): Promise<Reached> {
  return new Promise((resolve) => {
    const socket = tcpTo(wanted);
    const timer = setTimeout(() => done(socket.connecting ? 'unanswered' : 'established'), wanted.timeoutMs);
    const done = (outcome: PeerOutcome) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ outcome, reached });
    };
    let received = 0;
    let reached = '';
    const payload = payloadOf(wanted);
    socket.on('connect', () => {
      if (payload.length === 0) socket.end();
      else socket.write(payload);
    });
    socket.on('data', (data: Buffer) => {
      if (received === 0 && wanted.asks === undefined) reached = signerOf(data);
      received += data.length;
      if (received >= payload.length) socket.end();
    });
    socket.on('end', () => done('established'));
    socket.on('error', () => done('refused'));
  });
}

function payloadOf({ asks, forges, bytes, protocol, sourcePort }: PeerDial): Buffer {
  if (forges !== undefined) return unaskedReply(forges);
  if (asks === undefined) return Buffer.alloc(bytes, 'w');
  const query = dnsQuery(asks, sourcePort);
  return protocol === 'TCP' ? withLength(query) : query;
}

function tcpTo({ address, port, sourcePort }: PeerDial): Socket {
  return connect({ host: address, port, localPort: sourcePort });
}

function dialUdp(wanted: PeerDial): Promise<Reached> {
  const { address, port, timeoutMs, sourcePort } = wanted;
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const done = (outcome: PeerOutcome, reached = '') => {
      clearTimeout(timer);
      socket.close();
      resolve({ outcome, reached });
    };
    const timer = setTimeout(() => done('unanswered'), timeoutMs);
    socket.on('message', (data) => done('established', wanted.asks === undefined ? signerOf(data) : ''));
    socket.on('error', () => done('refused'));
    // A connected socket reports ICMP errors.
    socket.bind(sourcePort, () => {
      socket.connect(port, address, () => socket.send(payloadOf(wanted)));
    });
  });
}

/** Keeps a connection open and sends every `everyMs`; resolves at the first answer. */
function open(id: number, wanted: PeerDial, everyMs: number): Promise<PeerOutcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('unanswered'), wanted.timeoutMs);
    if (wanted.protocol === 'TCP') {
      const socket = tcpTo(wanted);
      const sending = setInterval(() => !socket.connecting && socket.write('still here'), everyMs);
      closers.set(id, () => {
        clearInterval(sending);
        socket.end();
      });
      socket.on('connect', () => {
        clearTimeout(timer);
        resolve('established');
      });
      socket.on('data', () => undefined);
      socket.on('error', () => {
        clearTimeout(timer);
        clearInterval(sending);
        resolve('refused');
      });
      return;
    }
    const socket = createSocket(wanted.address.includes(':') ? 'udp6' : 'udp4');
    const send = () => socket.send('still here', wanted.port, wanted.address, () => undefined);
    const sending = setInterval(send, everyMs);
    socket.on('error', () => undefined);
    socket.on('message', () => {
      clearTimeout(timer);
      resolve('established');
    });
    socket.bind(wanted.sourcePort, send);
    closers.set(id, () => {
      clearInterval(sending);
      socket.close();
    });
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  execute(JSON.parse(line) as PeerCommand).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
}
process.exit(0);
