// The agent stands on every node, so its process is held small: Node and the C library take their measure from the whole
// machine, and would rather take memory than time. What tells them otherwise is read only when a process begins.
import { compileCacheFolder } from './compile-cache.ts';

/**
 * Records live for a drain, so that a young generation of 1 MiB is enough; the old one is collected when it has grown by
 * a fifth, instead of when it has doubled; code is compiled for size.
 */
const nodeFlags = ['--max-semi-space-size=1', '--heap-growing-percent=20', '--optimize-for-size'];

const environment = {
  // One heap of the C library for all threads, which gives back what is freed at its end, and large pieces at once.
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '262144',
  MALLOC_TRIM_THRESHOLD_: '262144',
  // The compiler of types alone takes 25 MiB.
  NODE_COMPILE_CACHE: compileCacheFolder,
};

/** Begins the process anew, where it did not begin so: it keeps its number, and does not return. */
export function restartWithMemoryFlags(): void {
  if (nodeFlags.every((flag) => process.execArgv.includes(flag))) return;
  const args = [process.execPath, ...nodeFlags, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(process.execPath, args, { ...environment, ...process.env });
}
