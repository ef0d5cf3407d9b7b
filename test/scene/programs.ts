// `waybill agent`, `waybill collector` and the verbs as child processes, each ended with the test.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import { until } from './until.ts';

const waybill = new URL('../../cli/waybill.ts', import.meta.url).pathname;
const endsWithinMs = 60_000;

export type Ended = { code: number | null; out: string; err: string };
/** One line of the log. */
export type Told = { level: number; msg: string; why?: string; [field: string]: unknown };

/** Where a program runs: the words that go before it (`nsenter --net=…`), and its environment. */
export type Place = { before?: readonly string[]; env?: Readonly<Record<string, string>> };

function spawnWaybill(words: readonly string[], { before = [], env = {} }: Place): ChildProcess {
  const [program, ...args] = [...before, process.execPath, waybill, ...words];
  return spawn(program!, args, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs it to its end; one that goes on for too long is killed, and has no code. */
export async function runWaybill(words: readonly string[], place: Place = {}): Promise<Ended> {
  const child = spawnWaybill(words, place);
  const timer = setTimeout(() => child.kill('SIGKILL'), endsWithinMs);
  const [out, err, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
  clearTimeout(timer);
  return { code, out, err };
}

export class Program {
  readonly told: Told[] = [];
  complaint = '';
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    let rest = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      this.told.push(...lines.map((line) => JSON.parse(line) as Told));
    });
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      this.complaint += chunk;
    });
  }

  /** Resolves once it says that it runs. */
  static async start(t: Test, kind: 'agent' | 'collector', flags: readonly string[], place: Place): Promise<Program> {
    const program = new Program(spawnWaybill([kind, ...flags], place));
    t.teardown(() => program.end());
    await program.says(kind === 'agent' ? 'agent watches' : 'collector listens');
    return program;
  }

  /** Resolves with the line once it is logged. */
  async says(message: string): Promise<Told> {
    await until(`"${message}" is logged`, () => {
      if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.complaint}`);
      return this.lines(message).length > 0;
    });
    return this.lines(message)[0]!;
  }

  lines(message: string): Told[] {
    return this.told.filter((line) => line.msg.startsWith(message));
  }

  /** Asks it to end, and resolves with its exit code. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), endsWithinMs);
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
