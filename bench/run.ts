// Runs benchmarks one after the other, `node bench/run.ts FILE...`: shows what they print, and their budgets' lines last.
// Ends with 1 where one of them could not be done; a budget that is missed is a figure like any other.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { isBudgetLine } from './budget.ts';

const budgets: string[] = [];
for (const file of process.argv.slice(2)) {
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    if (isBudgetLine(line)) budgets.push(line);
    else process.stdout.write(`${line}\n`);
  }
  const [status] = await ended;
  if (status === 0) continue;
  process.stderr.write(`${file} could not be done\n`);
  process.exitCode = 1;
}
for (const line of budgets) process.stdout.write(`${line}\n`);
