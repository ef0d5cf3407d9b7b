// The two tables of rows in the kernel: one fills while the other, the retired one, is read. It is read only after every
// program run that may still write to it has ended.
import type { IgnoredReason, LossReason } from '../../../accounting/reasons.ts';
import { waitForRunningPrograms } from '../../../kernel/bpf.ts';
import { prepareTestRun, readElement, readElements, writeElement } from '../../../kernel/libbpf.ts';
import { possibleCpus } from './cpus.ts';
import type { InterfaceSlots } from './interface-slots.ts';
import { InterfaceTables, type OnSum } from './interface-tables.ts';
import { type ClockReading, KernelClock } from './kernel-clock.ts';
import { clockSampleBytes, control, countBytes, counters, interfaceSlots, missedEvents, row, used } from './layout.ts';
import type { LoadedProgram } from './program.ts';

const rowsPerRead = 4_096;
/** Possible values of CONFIG_HZ, in ticks a second. */
const tickRates = [100, 250, 300, 1000];

/** Shared rows that a packet without an answer cannot use: this part of them. */
const answeredPart = 8;
/** The rows beyond the shared ones are divided by at least this number, a power of two. */
const minInterfaces = 64;

type ClockSample = ClockReading & { jiffies: number };

export class RowTables {
  readonly #program: LoadedProgram;
  readonly #nowUs: () => number;
  readonly #slots: InterfaceSlots;
  readonly #interfaceTables: InterfaceTables;
  readonly #control = Buffer.alloc(control.bytes);
  readonly #used = Buffer.alloc(used.bytes);
  readonly #emptyUsed = Buffer.alloc(used.bytes);
  readonly #sampleBuffer = Buffer.alloc(clockSampleBytes);
  readonly #keys = Buffer.alloc(rowsPerRead * 4);
  readonly #rows: Buffer;
  readonly #words: Uint32Array;
  readonly #sampleClocks: () => void;
  readonly #clock: KernelClock;
  readonly #firstSample: ClockSample;
  #latestSample: ClockSample;
  #nsPerTick = 0;
  #epoch = 1;
  /** The table that no longer fills. It is ready when the programs that may write to it have ended. */
  #retired: { epoch: number; sinceUs: number; atUs: number; ready: boolean; ended: Promise<void> } | undefined;
  #filledSinceUs: number;
  readonly #perCpu = Buffer.alloc(possibleCpus() * countBytes);
  readonly #lastCounts = [...counters, ...missedEvents].map(() => ({ frames: 0, bytes: 0 }));

  constructor(program: LoadedProgram, slots: InterfaceSlots, nowUs: () => number, seed: number) {
    this.#program = program;
    this.#slots = slots;
    this.#interfaceTables = new InterfaceTables(program, slots);
    this.#nowUs = nowUs;
    const memory = new ArrayBuffer(rowsPerRead * row.bytes);
    this.#rows = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
    this.#sampleClocks = prepareTestRun(program.programFd('sample_clocks'));
    const { rowCount, sharedRowCount } = program;
    this.#control.writeUInt32LE(seed >>> 0, control.seed);
    this.#control.writeUInt32LE(program.bucketCount - 1, control.bucketMask);
    this.#control.writeUInt32LE(rowCount, control.rows);
    this.#control.writeUInt32LE(sharedRowCount, control.sharedRows);
    this.#control.writeUInt32LE(sharedRowCount - Math.floor(sharedRowCount / answeredPart), control.unansweredRows);
    for (const table of [0, 1]) this.#divideOwnRows(table);
    this.#filledSinceUs = nowUs();
    this.#firstSample = this.#latestSample = this.#readClocks();
    this.#clock = new KernelClock(this.#firstSample);
    this.#useEpoch(1);
  }

  /** The epoch whose rows can be read now; undefined while programs may still write to it. */
  get readable(): { epoch: number; sinceUs: number; untilUs: number } | undefined {
    const retired = this.#retired;
    return retired?.ready ? { epoch: retired.epoch, sinceUs: retired.sinceUs, untilUs: retired.atUs } : undefined;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Resolves when the retired table can be read. */
  async retiredReadable(): Promise<void> {
    await this.#retired?.ended;
  }

  /** Makes the other table fill. Does nothing while a retired table is not yet read. */
  swap(): void {
    if (this.#retired !== undefined) return;
    const before = this.#epoch;
    const next = before + 1;
    writeElement(this.#program.mapFd('used'), next & 1, this.#emptyUsed);
    this.#divideOwnRows(next & 1);
    this.#useEpoch(next);
    // nohz_full kernels refuse it. A program runs for microseconds, so 20 ms are enough.
    const ended = waitForRunningPrograms()
      .catch(() => new Promise<void>((resolve) => setTimeout(resolve, 20)))
      .then(() => {
        retired.ready = true;
      });
    const retired = { epoch: before, sinceUs: this.#filledSinceUs, atUs: this.#nowUs(), ready: false, ended };
    this.#retired = retired;
    this.#filledSinceUs = retired.atUs;
  }

  /**
   * Calls `onRow` once for each row of the readable epoch, and `onSum` for the packets without a row. The buffer is reused:
   * it is valid until `onRow` returns.
   */
  read(onRow: (words: Uint32Array, at: number) => void, onSum: OnSum): void {
    if (this.#retired === undefined || !this.#retired.ready) return;
    const table = this.#retired.epoch & 1;
    this.#latestSample = this.#readClocks();
    this.#clock.update(this.#latestSample);
    this.#learnTickRate();
    const { rowCount, sharedRowCount } = this.#program;
    const firstRow = table * rowCount;
    readElement(this.#program.mapFd('used'), table, this.#used);
    this.#readRows(firstRow, Math.min(Number(this.#used.readBigUInt64LE(used.rows)), sharedRowCount), onRow);
    if (this.#used.readBigUInt64LE(used.touched) !== 0n) {
      const ownRows = this.#control.readUInt32LE(control.ownRows + table * 4);
      const readOwn = (slot: number, requested: number) => {
        const from = sharedRowCount + slot * ownRows;
        this.#readRows(firstRow + from, Math.min(requested, ownRows, Math.max(0, rowCount - from)), onRow);
      };
      this.#interfaceTables.drain(table, readOwn, onSum);
    }
    this.#retired = undefined;
  }

  #readRows(from: number, count: number, onRow: (words: Uint32Array, at: number) => void): void {
    for (let done = 0; done < count; done += rowsPerRead) {
      const rowsToRead = Math.min(rowsPerRead, count - done);
      readElements(this.#program.mapFd('rows'), from + done, rowsToRead, this.#keys, this.#rows);
      for (let i = 0; i < rowsToRead; i++) onRow(this.#words, i * row.words);
    }
  }

  /** Counts frames that are in no row, since the last call. */
  drainCounters(count: (reason: IgnoredReason | LossReason, frames: number, bytes: number) => void): void {
    for (const [index, reason] of counters.entries()) {
      const { frames, bytes } = this.#increaseOf(index);
      if (frames > 0) count(reason, frames, bytes);
    }
  }

  /** Events that the program dropped because the ring was full, since the last call. */
  drainMissed(): { translations: number; dns: number } {
    const [translations, dns] = missedEvents.map((_, index) => this.#increaseOf(counters.length + index).frames);
    return { translations: translations!, dns: dns! };
  }

  timeOfNs(words: Uint32Array, at: number): number {
    return this.#clock.usOfNs(words[at + 1]! * 2 ** 32 + words[at]!);
  }

  timeOfTick(tick: number): number {
    const ticksAgo = (this.#latestSample.jiffies - tick) | 0;
    return this.#clock.usOfNs(this.#latestSample.monotonicNs - ticksAgo * this.#nsPerTick);
  }

  /** Only for a table that does not fill. An interface without a part of it gets one in the next epoch. */
  #divideOwnRows(table: number): void {
    const { rowCount, sharedRowCount } = this.#program;
    let parts = minInterfaces;
    while (parts < Math.min(this.#slots.end, interfaceSlots)) parts *= 2;
    this.#control.writeUInt32LE(Math.floor((rowCount - sharedRowCount) / parts), control.ownRows + table * 4);
  }

  #useEpoch(epoch: number): void {
    this.#control.writeUInt32LE(epoch >>> 0, control.epoch);
    writeElement(this.#program.mapFd('control'), 0, this.#control);
    this.#epoch = epoch;
  }

  #readClocks(): ClockSample {
    const beforeUs = this.#nowUs();
    this.#sampleClocks();
    const afterUs = this.#nowUs();
    readElement(this.#program.mapFd('clock_samples'), 0, this.#sampleBuffer);
    return {
      monotonicNs: Number(this.#sampleBuffer.readBigUInt64LE(0)),
      jiffies: this.#sampleBuffer.readUInt32LE(8),
      beforeUs,
      afterUs,
    };
  }

  /** The kernel does not publish its tick rate. Picks the rate that matches the two samples best. */
  #learnTickRate(): void {
    if (this.#nsPerTick !== 0) return;
    const ticks = this.#latestSample.jiffies - this.#firstSample.jiffies;
    const seconds = (this.#latestSample.monotonicNs - this.#firstSample.monotonicNs) / 1e9;
    const deviation = (rate: number) => Math.abs(Math.log(ticks / seconds / rate));
    this.#nsPerTick = 1e9 / tickRates.reduce((best, rate) => (deviation(rate) < deviation(best) ? rate : best));
  }

  #increaseOf(index: number): { frames: number; bytes: number } {
    const before = this.#lastCounts[index]!;
    const current = this.#sumOf(index);
    this.#lastCounts[index] = current;
    return { frames: current.frames - before.frames, bytes: current.bytes - before.bytes };
  }

  #sumOf(index: number): { frames: number; bytes: number } {
    const perCpu = this.#perCpu;
    readElement(this.#program.mapFd('counters'), index, perCpu);
    const sum = { frames: 0, bytes: 0 };
    for (let at = 0; at < perCpu.length; at += countBytes) {
      sum.frames += Number(perCpu.readBigUInt64LE(at));
      sum.bytes += Number(perCpu.readBigUInt64LE(at + 8));
    }
    return sum;
  }
}
