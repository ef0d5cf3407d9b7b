// The two tables of rows in the kernel: one fills, the other is read. What is read was turned away from an interval before,
// and every program that may still have written to it has ended.
import type { LossReason, SetAsideReason } from '../../../accounting/reasons.ts';
import { waitForRunningPrograms } from '../../../kernel/bpf.ts';
import { prepareTestRun, readElement, readElements, writeElement } from '../../../kernel/libbpf.ts';
import { possibleCpus } from './cpus.ts';
import { controlBytes, countBytes, counters, momentBytes, row, untold, usedBytes } from './layout.ts';
import type { LoadedProgram } from './program.ts';

const rowsPerRead = 4_096;
/** Ticks a second that kernels are built with (CONFIG_HZ). */
const tickRates = [100, 250, 300, 1000];

/** Both clocks of the rows, and when it was by ours. */
type Moment = { monotonicNs: number; jiffies: number; nowUs: number };

export class Tables {
  readonly #program: LoadedProgram;
  readonly #nowUs: () => number;
  readonly #control = Buffer.alloc(controlBytes);
  readonly #used = Buffer.alloc(usedBytes);
  readonly #noneUsed = Buffer.alloc(usedBytes);
  readonly #moment = Buffer.alloc(momentBytes);
  readonly #keys = Buffer.alloc(rowsPerRead * 4);
  readonly #rows: Buffer;
  readonly #words: Uint32Array;
  readonly #tell: () => void;
  readonly #begun: Moment;
  #now: Moment;
  #nsPerTick = 0;
  #epoch = 1;
  /** The table that was turned away from: until its programs ended, nothing is read of it. */
  #turned: { epoch: number; atUs: number; ready: boolean; ended: Promise<void> } | undefined;
  readonly #perCpu = Buffer.alloc(possibleCpus() * countBytes);
  readonly #counted = [...counters, ...untold].map(() => ({ frames: 0, bytes: 0 }));

  constructor(program: LoadedProgram, nowUs: () => number, seed: number) {
    this.#program = program;
    this.#nowUs = nowUs;
    const memory = new ArrayBuffer(rowsPerRead * row.bytes);
    this.#rows = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
    this.#tell = prepareTestRun(program.program('tell_moment'));
    this.#control.writeUInt32LE(seed >>> 0, 4);
    this.#control.writeUInt32LE(program.buckets - 1, 8);
    this.#control.writeUInt32LE(program.rows, 12);
    this.#begun = this.#now = this.#look();
    this.#turnTo(1);
  }

  /** The epoch whose rows can be read now; undefined while its programs may still run. */
  get readable(): { epoch: number; untilUs: number } | undefined {
    const turned = this.#turned;
    return turned?.ready ? { epoch: turned.epoch, untilUs: turned.atUs } : undefined;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Resolves when what was turned away from can be read. */
  async settled(): Promise<void> {
    await this.#turned?.ended;
  }

  /** The other table fills from now on. Only where nothing is turned away from that was not read. */
  turn(): void {
    if (this.#turned !== undefined) return;
    const before = this.#epoch;
    const next = before + 1;
    writeElement(this.#program.map('used'), next & 1, this.#noneUsed);
    this.#turnTo(next);
    // nohz_full kernels refuse it: a program runs for microseconds.
    const ended = waitForRunningPrograms()
      .catch(() => new Promise<void>((resolve) => setTimeout(resolve, 20)))
      .then(() => {
        turned.ready = true;
      });
    const turned = { epoch: before, atUs: this.#nowUs(), ready: false, ended };
    this.#turned = turned;
  }

  /**
   * Hands over every row of the readable epoch: words of one reused buffer, valid until it returns. Each is read once.
   */
  read(use: (words: Uint32Array, at: number) => void): void {
    if (this.#turned === undefined || !this.#turned.ready) return;
    const table = this.#turned.epoch & 1;
    this.#now = this.#look();
    this.#learnTicks();
    readElement(this.#program.map('used'), table, this.#used);
    const count = Math.min(Number(this.#used.readBigUInt64LE(0)), this.#program.rows);
    for (let from = 0; from < count; from += rowsPerRead) {
      const some = Math.min(rowsPerRead, count - from);
      readElements(this.#program.map('rows'), table * this.#program.rows + from, some, this.#keys, this.#rows);
      for (let i = 0; i < some; i++) use(this.#words, i * row.words);
    }
    this.#turned = undefined;
  }

  /** What is in no row, since this was asked last. */
  uncounted(count: (reason: SetAsideReason | LossReason, frames: number, bytes: number) => void): void {
    for (const [index, reason] of counters.entries()) {
      const { frames, bytes } = this.#fresh(index);
      if (frames > 0) count(reason, frames, bytes);
    }
  }

  /** What the program saw beside connections and could not tell, since this was asked last. */
  untold(): { translations: number; dns: number } {
    const [translations, dns] = untold.map((_, index) => this.#fresh(counters.length + index).frames);
    return { translations: translations!, dns: dns! };
  }

  /** Whole µs of our clock: what a record says of its beginning must come back the same. */
  timeOfNs(words: Uint32Array, at: number): number {
    const ns = words[at + 1]! * 2 ** 32 + words[at]!;
    return Math.round(this.#now.nowUs - (this.#now.monotonicNs - ns) / 1000);
  }

  timeOfTick(tick: number): number {
    const ticksAgo = (this.#now.jiffies - tick) | 0;
    return Math.round(this.#now.nowUs - (ticksAgo * this.#nsPerTick) / 1000);
  }

  #turnTo(epoch: number): void {
    this.#control.writeUInt32LE(epoch >>> 0, 0);
    writeElement(this.#program.map('control'), 0, this.#control);
    this.#epoch = epoch;
  }

  #look(): Moment {
    const beforeUs = this.#nowUs();
    this.#tell();
    const nowUs = (beforeUs + this.#nowUs()) / 2;
    readElement(this.#program.map('moments'), 0, this.#moment);
    return {
      monotonicNs: Number(this.#moment.readBigUInt64LE(0)),
      jiffies: this.#moment.readUInt32LE(8),
      nowUs,
    };
  }

  /** The kernel does not tell its tick rate: it is the one that fits two moments best. */
  #learnTicks(): void {
    if (this.#nsPerTick !== 0) return;
    const ticks = this.#now.jiffies - this.#begun.jiffies;
    const seconds = (this.#now.monotonicNs - this.#begun.monotonicNs) / 1e9;
    const off = (rate: number) => Math.abs(Math.log(ticks / seconds / rate));
    this.#nsPerTick = 1e9 / tickRates.reduce((best, rate) => (off(rate) < off(best) ? rate : best));
  }

  #fresh(index: number): { frames: number; bytes: number } {
    const before = this.#counted[index]!;
    const now = this.#sumOf(index);
    this.#counted[index] = now;
    return { frames: now.frames - before.frames, bytes: now.bytes - before.bytes };
  }

  #sumOf(index: number): { frames: number; bytes: number } {
    const perCpu = this.#perCpu;
    readElement(this.#program.map('counters'), index, perCpu);
    const sum = { frames: 0, bytes: 0 };
    for (let at = 0; at < perCpu.length; at += countBytes) {
      sum.frames += Number(perCpu.readBigUInt64LE(at));
      sum.bytes += Number(perCpu.readBigUInt64LE(at + 8));
    }
    return sum;
  }
}
