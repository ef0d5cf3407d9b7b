// Runs a benchmark in a process on one processor, in a network namespace that ends with the process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const inside = 'WAYBILL_BENCH_INSIDE';

/** Outside the namespace: starts `file` again inside. Inside: runs `main`. */
export async function inNamespace(file: string, main: () => void | Promise<void>): Promise<void> {
  if (process.env[inside] !== undefined) return main();
  const args = ['-c', '1', 'unshare', '-n', '--kill-child', process.execPath, '--expose-gc', file];
  const child = spawn('taskset', args, { stdio: 'inherit', env: { ...process.env, [inside]: '1' } });
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 2;
}
