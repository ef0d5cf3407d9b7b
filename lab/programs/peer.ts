// The program in every pod and outside host: real sockets that listen, answer and dial. Takes JSON lines on stdin,
// tells JSON lines on stdout.
//   {"listen":[{"port":80,"protocol":"TCP","answers":true}]}
//   {"id":1,"dial":{"address":"10.0.1.2","port":80,"protocol":"TCP","bytes":100,"timeoutMs":2500,"sourcePort":20001}}
//   {"id":2,"open":{…},"everyMs":200}   {"id":2,"close":true}
import { createSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

export type PeerListen = { port: number; protocol: 'TCP' | 'UDP'; answers: boolean };
export type PeerDial = {
  address: string;
  port: number;
  protocol: 'TCP' | 'UDP';
  bytes: number;
  timeoutMs: number;
  sourcePort: number;
};
export type PeerCommand =
  | { listen: readonly PeerListen[] }
  | { id: number; dial: PeerDial }
  | { id: number; open: PeerDial; everyMs: number }
  | { id: number; close: true };
export type PeerReply = { id: number; outcome: 'established' | 'refused' | 'unanswered' } | { listening: true };

const closers = new Map<number, () => void>();

async function obey(command: PeerCommand): Promise<void> {
  if ('listen' in command) {
    await Promise.all(command.listen.map(listen));
    tell({ listening: true });
  } else if ('dial' in command) {
    tell({ id: command.id, outcome: await dial(command.dial) });
  } else if ('open' in command) {
    tell({ id: command.id, outcome: await open(command.id, command.open, command.everyMs) });
  } else {
    closers.get(command.id)?.();
    closers.delete(command.id);
    tell({ id: command.id, outcome: 'established' });
  }
}

function tell(reply: PeerReply): void {
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}

function listen({ port, protocol, answers }: PeerListen): Promise<void> {
  return protocol === 'TCP'
    ? listenTcp(port, answers)
    : Promise.all([listenUdp(port, answers, 'udp4'), listenUdp(port, answers, 'udp6')]).then(() => undefined);
}

function listenTcp(port: number, answers: boolean): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => answers && socket.write(data));
    socket.on('end', () => socket.end());
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '::' }, () => resolve());
  });
}

function listenUdp(port: number, answers: boolean, type: 'udp4' | 'udp6'): Promise<void> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' });
  socket.on('message', (data, from) => answers && socket.send(data, from.port, from.address));
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, () => {
      socket.on('error', () => undefined);
      resolve();
    });
  });
}

function dial(wanted: PeerDial): Promise<'established' | 'refused' | 'unanswered'> {
  return wanted.protocol === 'TCP' ? dialTcp(wanted) : dialUdp(wanted);
}

function dialTcp(wanted: PeerDial): Promise<'established' | 'refused' | 'unanswered'> {
  return new Promise((resolve) => {
    const socket = tcpTo(wanted);
    const timer = setTimeout(() => done(socket.connecting ? 'unanswered' : 'established'), wanted.timeoutMs);
    const done = (outcome: 'established' | 'refused' | 'unanswered') => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    let received = 0;
    socket.on('connect', () => {
      if (wanted.bytes === 0) socket.end();
      else socket.write(Buffer.alloc(wanted.bytes, 'w'));
    });
    socket.on('data', (data: Buffer) => {
      received += data.length;
      if (received >= wanted.bytes) socket.end();
    });
    socket.on('end', () => done('established'));
    socket.on('error', () => done('refused'));
  });
}

function tcpTo({ address, port, sourcePort }: PeerDial): Socket {
  return connect({ host: address, port, localPort: sourcePort });
}

function dialUdp({
  address,
  port,
  bytes,
  timeoutMs,
  sourcePort,
}: PeerDial): Promise<'established' | 'refused' | 'unanswered'> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const done = (outcome: 'established' | 'refused' | 'unanswered') => {
      clearTimeout(timer);
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => done('unanswered'), timeoutMs);
    socket.on('message', () => done('established'));
    socket.on('error', () => done('refused'));
    // Connected, so that an ICMP error comes back as one.
    socket.bind(sourcePort, () => {
      socket.connect(port, address, () => socket.send(Buffer.alloc(bytes, 'w')));
    });
  });
}

/** Stays open and speaks every so often; resolves once it is answered. */
function open(id: number, wanted: PeerDial, everyMs: number): Promise<'established' | 'refused' | 'unanswered'> {
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
