// The lab creates network namespaces: as root, or as root of a user namespace of its own.
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Problem, ProblemError } from '../../model/problem.ts';
import { noPrivilege, programMissing } from './errors.ts';
import { packages } from './run.ts';

/** Set in the child: where a user namespace is not enough, the child reports it and does not enter another one. */
const entered = 'WAYBILL_LAB_USERNS';

/** Throws a ProblemError with every missing program and its package. */
export function checkPrograms(): void {
  const missing: Problem[] = Object.entries(packages).flatMap(([program, debianPackage]) =>
    isOnPath(program) ? [] : [programMissing(program, debianPackage)],
  );
  if (missing.length > 0) throw new ProblemError(...missing);
}

/**
 * Undefined if this process is root. Otherwise runs the same command as root of a user namespace, with a /run of its
 * own, and returns its exit code.
 */
export async function rerunAsRoot(): Promise<number | undefined> {
  if (process.getuid?.() === 0) return undefined;
  if (process.env[entered] !== undefined) throw new ProblemError(noPrivilege('not root in the user namespace'));
  const script = 'mount -t tmpfs tmpfs /run && exec "$@"';
  const args = ['-Urnm', '--kill-child', 'sh', '-c', script, 'sh', process.execPath, ...process.argv.slice(1)];
  const child = spawn('unshare', args, { stdio: 'inherit', env: { ...process.env, [entered]: '1' } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new ProblemError(noPrivilege(error.message))));
    child.on('exit', (code) => resolve(code ?? 2));
  });
}

function isOnPath(program: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
