// The program in every pod and outside host: real sockets that listen, answer and dial. Takes JSON lines on stdin,
// tells JSON lines on stdout.
//   {"name":"web-0","listen":[{"port":80,"protocol":"TCP","answers":true},{"port":53,…,"names":{"www.example.com":["203.0.113.10"]}}]}
//   {"id":1,"dial":{"address":"10.0.1.2","port":80,"protocol":"TCP","bytes":100,"timeoutMs":2500,"sourcePort":20001}}
//   {"id":2,"open":{…},"everyMs":200}   {"id":2,"close":true}
import { createSocket } from 'node:dgram';
import { flushCompileCache } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { type DnsZone, dnsAnswer, dnsQuery, withLength } from './dns-message.ts';

/** With `names` it answers DNS queries by them, in place of saying again what it hears. */
export type PeerListen = { port: number; protocol: 'TCP' | 'UDP'; answers: boolean; names?: DnsZone };
export type PeerDial = {
  address: string;
  port: number;
  protocol: 'TCP' | 'UDP';
  bytes: number;
  /** A DNS query for it is sent in place of the bytes. */
  asks?: string;
  timeoutMs: number;
  sourcePort: number;
};
export type PeerCommand =
  /** `name`: what every answer begins with, so that who dialled knows whom it reached. */
  | { listen: readonly PeerListen[]; name: string }
  | { id: number; dial: PeerDial }
  | { id: number; open: PeerDial; everyMs: number }
  | { id: number; close: true };
export type PeerOutcome = 'established' | 'refused' | 'unanswered';
/** `reached` is the name in the answer; empty where there was none. */
export type PeerReply = { id: number; outcome: PeerOutcome; reached: string } | { listening: true };
type Reached = { outcome: PeerOutcome; reached: string };

let ownName = '';
const closers = new Map<number, () => void>();

async function obey(command: PeerCommand): Promise<void> {
  if ('listen' in command) {
    ownName = command.name;
    await Promise.all(command.listen.map(listen));
    flushCompileCache(); // it is killed in the end
    tell({ listening: true });
  } else if ('dial' in command) {
    tell({ id: command.id, ...(await dial(command.dial)) });
  } else if ('open' in command) {
    tell({ id: command.id, outcome: await open(command.id, command.open, command.everyMs), reached: '' });
  } else {
    closers.get(command.id)?.();
    closers.delete(command.id);
    tell({ id: command.id, outcome: 'established', reached: '' });
  }
}

function tell(reply: PeerReply): void {
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

function listen(wanted: PeerListen): Promise<void> {
  return wanted.protocol === 'TCP'
    ? listenTcp(wanted)
    : Promise.all([listenUdp(wanted, 'udp4'), listenUdp(wanted, 'udp6')]).then(() => undefined);
}

function answerOf({ answers, names, protocol }: PeerListen, data: Buffer): Buffer | undefined {
  if (names === undefined) return answers ? signed(data) : undefined;
  const answer = dnsAnswer(protocol === 'TCP' ? data.subarray(2) : data, names);
  return answer === undefined || protocol === 'UDP' ? answer : withLength(answer);
}

/** As long as what it answers, and begins with our name where that fits. */
function signed(data: Buffer): Buffer {
  const signature = Buffer.from(`${ownName}\n`);
  return signature.length > data.length ? data : Buffer.concat([signature, data.subarray(signature.length)]);
}

function signerOf(answer: Buffer): string {
  const end = answer.indexOf('\n');
  return end < 0 ? '' : answer.subarray(0, end).toString();
}

function listenTcp(wanted: PeerListen): Promise<void> {
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

function listenUdp(wanted: PeerListen, type: 'udp4' | 'udp6'): Promise<void> {
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
    const said = saidBy(wanted);
    socket.on('connect', () => {
      if (said.length === 0) socket.end();
      else socket.write(said);
    });
    socket.on('data', (data: Buffer) => {
      if (received === 0 && wanted.asks === undefined) reached = signerOf(data);
      received += data.length;
      if (received >= said.length) socket.end();
    });
    socket.on('end', () => done('established'));
    socket.on('error', () => done('refused'));
  });
}

function saidBy({ asks, bytes, protocol, sourcePort }: PeerDial): Buffer {
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
    // Connected, so that an ICMP error comes back as one.
    socket.bind(sourcePort, () => {
      socket.connect(port, address, () => socket.send(saidBy(wanted)));
    });
  });
}

/** Stays open and speaks every so often; resolves once it is answered. */
function open(id: number, wanted: PeerDial, everyMs: number): Promise<PeerOutcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('unanswered'), wanted.timeoutMs);
    if (wanted.protocol === 'TCP') {
      const socket = tcpTo(wanted);
      const speaking = setInterval(() => !socket.connecting && socket.write('still here'), everyMs);
      closers.set(id, () => {
        clearInterval(speaking);
        socket.end();
      });
      socket.on('connect', () => {
        clearTimeout(timer);
        resolve('established');
      });
      socket.on('data', () => undefined);
      socket.on('error', () => {
        clearTimeout(timer);
        clearInterval(speaking);
        resolve('refused');
      });
      return;
    }
    const socket = createSocket(wanted.address.includes(':') ? 'udp6' : 'udp4');
    const speak = () => socket.send('still here', wanted.port, wanted.address, () => undefined);
    const speaking = setInterval(speak, everyMs);
    socket.on('error', () => undefined);
    socket.on('message', () => {
      clearTimeout(timer);
      resolve('established');
    });
    socket.bind(wanted.sourcePort, speak);
    closers.set(id, () => {
      clearInterval(speaking);
      socket.close();
    });
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  obey(JSON.parse(line) as PeerCommand).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
}
process.exit(0);
