// TCP connections between network namespaces, by child processes that end with the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Test } from 'tap';

const server = `
  const server = require('node:net').createServer((socket) => socket.on('error', () => {}).resume());
  server.listen(+process.argv[1], process.argv[2], () => console.log('ready'));
`;
const client = `
  const { connect } = require('node:net');
  const startMs = Date.now();
  const socket = connect(+process.argv[1], process.argv[2], () => console.log(startMs, Date.now()));
  process.stdin.pipe(socket);
`;

/** Resolves when it accepts connections. `before`: the command prefix of a namespace. */
export async function listen(t: Test, before: readonly string[], address: string, port: number): Promise<void> {
  await start(t, before, server, address, port);
}

export type OpenConnection = {
  /** Between these times it sent its first packet. In ms since the epoch. */
  startMs: number;
  establishedMs: number;
  send(text: string): void;
};

/** Resolves when the connection is established. */
export async function connect(
  t: Test,
  before: readonly string[],
  address: string,
  port: number,
): Promise<OpenConnection> {
  const { child, line } = await start(t, before, client, address, port);
  const [startMs, establishedMs] = line.split(' ').map(Number) as [number, number];
  return { startMs, establishedMs, send: (text) => void child.stdin!.write(text) };
}

async function start(t: Test, before: readonly string[], code: string, address: string, port: number) {
  const [program, ...words] = [...before, process.execPath, '-e', code, String(port), address];
  const child: ChildProcess = spawn(program!, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  return { child, line: line.toString() };
}
