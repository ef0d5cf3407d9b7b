// A clock that never steps. It begins as the wall clock, or with a given difference to it, and setting the wall clock later does
// not change it. It goes on while the machine is suspended. The difference to the wall clock is known at once.
import { uptime } from 'node:os';

/** What the kernel offers. `monotonicMs` stops while the machine is suspended, `uptimeSeconds` does not. */
export type KernelClocks = {
  wallMs(): number;
  monotonicMs(): number;
  uptimeSeconds(): number;
  /** The wall clock when `monotonicMs` was 0. */
  originMs: number;
};

/** Smaller differences are the resolution of the wall clock, not a step. */
const leastStepMs = 10;
/** The resolution of the uptime is 10 ms. */
const leastSuspensionMs = 100;
/** Both clocks are read at the same time if a reading takes at most this long. */
const maxReadingMs = 2;
const maxReadings = 5;
/** A packet is read at most this long after the kernel stamped it. */
const maxReadDelayUs = 10_000_000;
/** Without a check for this long, the wall clock may have been set. Unnoticed, a step makes packets wrong by at most twice this. */
const recheckUs = 20_000;
/** Steps that are remembered for packets that were stamped before them. */
const maxSteps = 16;

export class SteadyClock {
  readonly #kernel: KernelClocks;
  readonly #onStep: (stepUs: number) => void;
  /** Uptime minus monotonic time at the start. */
  readonly #uptimeLeadMs: number;
  readonly #originMs: number;
  #suspendedMs = 0;
  #wallOffsetUs: number;
  #checkedUs = 0;
  /** Offsets before a step, and when the step was noticed. */
  #earlier: { wallOffsetUs: number; noticedUs: number }[] = [];

  /**
   * `onStep` is called when the wall clock was set: forward if positive. `wallOffsetUs`: the wall clock minus this clock at the
   * start.
   */
  constructor(kernel: KernelClocks, onStep: (stepUs: number) => void, wallOffsetUs = 0) {
    this.#kernel = kernel;
    this.#onStep = onStep;
    this.#wallOffsetUs = wallOffsetUs;
    this.#originMs = kernel.originMs - wallOffsetUs / 1000;
    this.#uptimeLeadMs = this.#readUptimeLeadMs();
    this.nowUs();
  }

  /** µs since the epoch, never less than before. */
  readonly nowUs = (): number => {
    const { wallMs, monotonicMs } = this.#kernel;
    const beforeMs = monotonicMs();
    const wallNowMs = wallMs();
    const afterMs = monotonicMs();
    if (afterMs - beforeMs <= maxReadingMs) {
      const offsetMs = wallNowMs - this.#originMs - beforeMs - this.#suspendedMs;
      const changeMs = offsetMs - this.#wallOffsetUs / 1000;
      if (Math.abs(changeMs) >= leastStepMs) this.#onJump(changeMs);
    }
    this.#checkedUs = (this.#originMs + afterMs + this.#suspendedMs) * 1000;
    return this.#checkedUs;
  };

  /** The wall clock minus this clock. */
  get wallOffsetUs(): number {
    this.nowUs();
    return this.#wallOffsetUs;
  }

  /**
   * Converts a time that the kernel took from the wall clock, at most 10 s ago. If the wall clock was set meanwhile, the time
   * may be from before or after that: it is the latest one that is not in the future. hot, once a packet
   */
  fromWallUs(wallUs: number): number {
    const us = wallUs - this.#wallOffsetUs;
    if (this.#earlier.length === 0 && Math.abs(us - this.#checkedUs) < recheckUs) return us;
    const nowUs = this.nowUs();
    const offsets = [this.#wallOffsetUs, ...this.#earlier.map(({ wallOffsetUs }) => wallOffsetUs)];
    const past = offsets.map((offsetUs) => wallUs - offsetUs).filter((one) => one <= nowUs + leastStepMs * 1000);
    this.#earlier = this.#earlier.filter(({ noticedUs }) => nowUs - noticedUs < maxReadDelayUs);
    return past.length === 0 ? Math.round(nowUs) : Math.max(...past);
  }

  /** The wall clock and the monotonic clock moved apart: the machine was suspended, the wall clock was set, or both. */
  #onJump(changeMs: number): void {
    const asleepMs = this.#readUptimeLeadMs() - this.#uptimeLeadMs - this.#suspendedMs;
    const wasSuspended = asleepMs >= leastSuspensionMs;
    if (wasSuspended && Math.abs(changeMs - asleepMs) < leastSuspensionMs) {
      this.#suspendedMs += changeMs;
      return;
    }
    if (wasSuspended) this.#suspendedMs += asleepMs;
    const stepUs = Math.round((wasSuspended ? changeMs - asleepMs : changeMs) * 1000);
    const noticedUs = (this.#originMs + this.#kernel.monotonicMs() + this.#suspendedMs) * 1000;
    this.#earlier = [...this.#earlier, { wallOffsetUs: this.#wallOffsetUs, noticedUs }].slice(-maxSteps);
    this.#wallOffsetUs += stepUs;
    this.#onStep(stepUs);
  }

  /** Reads both clocks several times, because the process may be interrupted between the two. */
  #readUptimeLeadMs(): number {
    let best = { readingMs: Number.POSITIVE_INFINITY, leadMs: 0 };
    for (let attempt = 0; attempt < maxReadings && best.readingMs > maxReadingMs; attempt++) {
      const beforeMs = this.#kernel.monotonicMs();
      const leadMs = this.#kernel.uptimeSeconds() * 1000 - beforeMs;
      const readingMs = this.#kernel.monotonicMs() - beforeMs;
      if (readingMs < best.readingMs) best = { readingMs, leadMs };
    }
    return best.leadMs;
  }
}

export function steadyClockOfKernel(onStep: (stepUs: number) => void, wallOffsetUs = 0): SteadyClock {
  const kernel: KernelClocks = {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    uptimeSeconds: uptime,
    originMs: performance.timeOrigin,
  };
  return new SteadyClock(kernel, onStep, wallOffsetUs);
}
