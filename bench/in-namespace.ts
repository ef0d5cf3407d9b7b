// Runs a benchmark as a process of its own on one processor, in a network namespace of its own that goes with it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const inside = 'WAYBILL_BENCH_INSIDE';

/** Outside it starts `file` again, inside it runs `main`. */
export async function inNamespace(file: string, main: () => void | Promise<void>): Promise<void> {
  if (process.env[inside] !== undefined) return main();
  const words = ['-c', '1', 'unshare', '-n', '--kill-child', process.execPath, '--expose-gc', file];
  const child = spawn('taskset', words, { stdio: 'inherit', env: { ...process.env, [inside]: '1' } });
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 2;
}
