// Runs a program of the system until it exits.
import { spawn } from 'node:child_process';
import { ProblemError } from '../../model/problem.ts';
import { programMissing, stepFailed } from './errors.ts';

/** The Debian package of each program that the lab uses. */
export const packages: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  tcpdump: 'tcpdump',
  conntrack: 'conntrack',
  ping: 'iputils-ping',
  trafgen: 'netsniff-ng',
  clang: 'clang',
};

/** Resolves with its output; rejects with a ProblemError that has the program's own error output. */
export function run(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    let errorText = '';
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      errorText = (errorText + chunk.toString()).slice(-2000);
    });
    child.stdin.on('error', () => undefined); // it exited before it read everything: its exit code says why
    child.on('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      reject(missing ? new ProblemError(programMissing(program, packages[program] ?? program)) : error);
    });
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString());
      else {
        const fault = errorText.trim().split('\n').join(' ') || `exit code ${code}`;
        reject(new ProblemError(stepFailed(`${program} ${args.join(' ')}`, fault, 'fix the reported cause')));
      }
    });
    child.stdin.end(input);
  });
}
