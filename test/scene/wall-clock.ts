// The wall clock of one program. A test sets it while the program runs; the clock of the machine stays as it is.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

const source = new URL('wall-clock.c', import.meta.url).pathname;

export class WallClock {
  /** The environment of a program that has this clock. */
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;
  #offsetUs = 0n;

  /** `folder` is a folder of the test. */
  constructor(folder: string, name: string) {
    const library = join(folder, 'wall-clock.so');
    execFileSync('clang', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source, '-ldl']);
    this.#file = join(folder, `${name}.offset`);
    writeFileSync(this.#file, Buffer.alloc(8));
    this.env = { LD_PRELOAD: library, WALL_CLOCK_FILE: this.#file };
  }

  /** Moves it from where it is. */
  step(ms: number): void {
    this.#offsetUs += BigInt(ms) * 1000n;
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(this.#offsetUs);
    const fd = openSync(this.#file, 'r+');
    writeSync(fd, bytes, 0, 8, 0);
    closeSync(fd);
  }
}

/** The reason to skip a test; false if a program can have a clock of its own. */
export function withoutOwnClock(t: Test): string | false {
  const clock = new WallClock(t.testdir(), 'try');
  clock.step(3_600_000);
  const env = { PATH: process.env.PATH, ...clock.env };
  const shownMs = Number(execFileSync(process.execPath, ['-p', 'Date.now()'], { env, encoding: 'utf8' }));
  return shownMs - Date.now() > 3_000_000 ? false : 'the wall clock of a program cannot be set';
}
