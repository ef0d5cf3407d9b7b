// Runs benchmarks one after the other, `node bench/run.ts FILE...`: prints their output, then the lines of their budgets.
// Exits with 1 if a benchmark fails; a missed budget is not a failure.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { isBudgetLine } from './budget.ts';

const budgets: string[] = [];
for (const file of process.argv.slice(2)) {
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    if (isBudgetLine(line)) budgets.push(line);
    else process.stdout.write(`${line}\n`);
  }
  const [status] = await closed;
  if (status === 0) continue;
  process.stderr.write(`${file} failed\n`);
  process.exitCode = 1;
}
for (const line of budgets) process.stdout.write(`${line}\n`);
