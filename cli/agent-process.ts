// Restarts the agent with flags that save memory, because it runs on every node. Node and the C library size their buffers
// by the whole machine, and read these flags only when a process starts.
import { compileCacheFolder } from './compile-cache.ts';

/**
 * A young generation of 1 MiB is enough, because records live for one drain only. The old generation is collected after it
 * has grown by a fifth, not after it has doubled. Code is compiled for size.
 */
const nodeFlags = ['--max-semi-space-size=1', '--heap-growing-percent=20', '--optimize-for-size'];

const environment = {
  // One malloc arena for all threads. It returns free memory at its end, and large blocks immediately.
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '262144',
  MALLOC_TRIM_THRESHOLD_: '262144',
  // Stripping the types takes 25 MiB without the cache.
  NODE_COMPILE_CACHE: compileCacheFolder,
};

/** Replaces the process (execve, same process id) unless it has the flags already. Does not return if it does. */
export function restartWithMemoryFlags(): void {
  if (nodeFlags.every((flag) => process.execArgv.includes(flag))) return;
  const args = [process.execPath, ...nodeFlags, ...process.execArgv, ...process.argv.slice(1)];
  process.execve?.(process.execPath, args, { ...environment, ...process.env });
}
