// A pod sends one datagram after another, each to a port of its own, so that each is a connection. It ends with the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';

const sender = `
  const [address, port, everyMs] = [process.argv[1], +process.argv[2], +process.argv[3]];
  const socket = require('node:dgram').createSocket('udp4').on('error', () => {});
  let next = port;
  setInterval(() => {
    const line = next + ' ' + Date.now();
    // Only what was really sent is printed: the program may be ended in between.
    socket.send('x', next++, address, (error) => error || console.log(line));
  }, everyMs);
`;

export class NumberedTraffic {
  /** When a datagram was sent to the port, in ms since the epoch. */
  readonly sentMs = new Map<number, number>();
  readonly #child: ChildProcess;
  readonly #read: Promise<unknown>;

  /** `before`: the command prefix of the pod. Ports count from `firstPort` upward. */
  constructor(t: Test, before: readonly string[], address: string, firstPort: number, everyMs: number) {
    const [program, ...words] = [
      ...before,
      process.execPath,
      '-e',
      sender,
      address,
      String(firstPort),
      String(everyMs),
    ];
    this.#child = spawn(program!, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => this.#child.kill('SIGKILL'));
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on('line', (line) => {
      const [port, ms] = line.split(' ').map(Number);
      this.sentMs.set(port!, ms!);
    });
    this.#read = once(lines, 'close');
  }

  /** Resolves when everything that it sent is in `sentMs`. */
  async end(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#read;
  }
}
