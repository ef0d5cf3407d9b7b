// Runs in its own network namespace: tcpdump captures every interface to stdout while several connections use loopback.
// Ends when stdin ends.
import { execFileSync, spawn } from 'node:child_process';
import { createSocket, type SocketType } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** The payload of the last packet. */
export const marker = 'this is the last packet';

async function listening(stderr: NodeJS.ReadableStream): Promise<void> {
  for await (const line of createInterface({ input: stderr })) if (/listening on any/.test(line)) return;
  throw new Error('tcpdump does not listen');
}

async function tcp(host: string): Promise<void> {
  const server = createServer((socket) => socket.end('answer')).listen(8080, host);
  await once(server, 'listening');
  await once(connect(8080, host).resume(), 'close');
  server.close();
  await once(server, 'close');
}

async function udp(type: SocketType, host: string, answer: string): Promise<void> {
  const [server, client] = [createSocket(type), createSocket(type)];
  server.on('message', (_, from) => server.send(answer, from.port, from.address));
  server.bind(8125, host);
  await once(server, 'listening');
  client.send('question', 8125, host);
  await once(client, 'message');
  client.close();
  server.close();
}

if (import.meta.main) {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  // A short capture length, because tcpdump's ring has only eight slots at full length.
  const args = ['-i', 'any', '-Z', 'root', '-U', '--immediate-mode', '-n', '-s', '256', '-w', '-'];
  const tcpdump = spawn('tcpdump', args, { stdio: ['ignore', 'inherit', 'pipe'] });
  await listening(tcpdump.stderr);
  await tcp('127.0.0.1');
  await tcp('::1');
  await udp('udp4', '127.0.0.1', 'answer');
  await udp('udp6', '::1', marker);
  process.stdin.resume().on('end', () => tcpdump.kill('SIGINT'));
}
