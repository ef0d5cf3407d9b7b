// Runs `waybill agent`, `waybill collector` and the other verbs as child processes, which end with the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { until } from './until.ts';

const waybill = new URL('../../cli/waybill.ts', import.meta.url).pathname;
const maxRunMs = 60_000;

export type Ended = { code: number | null; out: string; err: string };
/** One line of the log. */
export type LogLine = { level: number; msg: string; why?: string; [field: string]: unknown };

/** The command prefix (`nsenter --net=…`) and the environment of a program. */
export type RunOptions = { before?: readonly string[]; env?: Readonly<Record<string, string>> };

function spawnWaybill(words: readonly string[], { before = [], env = {} }: RunOptions): ChildProcess {
  const [program, ...args] = [...before, process.execPath, waybill, ...words];
  return spawn(program!, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs a verb to its end. After 60 s it is killed, and the code is null. */
export async function runWaybill(words: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const child = spawnWaybill(words, options);
  const timer = setTimeout(() => child.kill('SIGKILL'), maxRunMs);
  const [out, err, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
  clearTimeout(timer);
  return { code, out, err };
}

export class Program {
  readonly log: LogLine[] = [];
  stderr = '';
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    let rest = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      this.log.push(...lines.map((line) => JSON.parse(line) as LogLine));
    });
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
    });
  }

  /** Resolves after the program logs that it runs. */
  static async start(
    t: Test,
    kind: 'agent' | 'collector',
    flags: readonly string[],
    options: RunOptions,
  ): Promise<Program> {
    const program = new Program(spawnWaybill([kind, ...flags], options));
    t.teardown(() => program.end());
    await program.logged(kind === 'agent' ? 'agent started' : 'collector listening');
    return program;
  }

  /** Resolves with the first log line that begins with `message`. */
  async logged(message: string): Promise<LogLine> {
    const isLogged = () => {
      if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.stderr}`);
      return this.lines(message).length > 0;
    };
    await until(`"${message}" is logged`, isLogged, maxRunMs);
    return this.lines(message)[0]!;
  }

  lines(message: string): LogLine[] {
    return this.log.filter((line) => line.msg.startsWith(message));
  }

  /** Sends SIGTERM, and resolves with the exit code. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), maxRunMs);
    this.#child.kill('SIGTERM');
    const [code] = await once(this.#child, 'close');
    clearTimeout(timer);
    return code;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}
