// The clocks of a machine that the test moves: time passes, the wall clock is set, the machine is suspended.
import type { KernelClocks } from '../../cluster/steady-clock.ts';

export class HandKernelClocks implements KernelClocks {
  readonly originMs: number;
  #monotonicMs = 0;
  #suspendedMs = 0;
  #wallOffsetMs = 0;

  constructor(originMs = Date.UTC(2026, 0, 1)) {
    this.originMs = originMs;
  }

  /** The clock of the kernel has whole milliseconds. */
  readonly wallMs = (): number =>
    Math.floor(this.originMs + this.#monotonicMs + this.#suspendedMs + this.#wallOffsetMs);
  readonly monotonicMs = (): number => this.#monotonicMs;
  /** The kernel shows hundredths of a second. */
  readonly uptimeSeconds = (): number => Math.floor(this.#monotonicMs + this.#suspendedMs) / 1000;

  /** The true time in µs, whatever the wall clock shows. */
  get trueUs(): number {
    return (this.originMs + this.#monotonicMs + this.#suspendedMs) * 1000;
  }

  /** The wall clock as the kernel stamps packets with it, in µs. */
  get stampUs(): number {
    return Math.round(this.trueUs + this.#wallOffsetMs * 1000);
  }

  pass(ms: number): void {
    this.#monotonicMs += ms;
  }

  setWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  suspend(ms: number): void {
    this.#suspendedMs += ms;
  }
}
