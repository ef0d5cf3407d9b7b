// `npm run lab`: a cluster's network on one machine, brought up from a topology (docs/lab.md).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Command, Option } from 'commander';
import { sourceNames } from '../agent/capture/choose.ts';
import { ProblemError, problemLine } from '../model/problem.ts';
import { alreadyUp, nothingUp } from './errors.ts';
import { liveLabs, removeLeftovers } from './leftovers.ts';
import { checkPrograms, elsewhere } from './privilege.ts';
import { playAll, withLab } from './session.ts';
import { readTopology } from './topology.ts';

const sourceOption = () =>
  new Option('--source <source>', 'capture source of the agents').choices(['auto', ...sourceNames]).default('pcap');

function program(): Command {
  const lab = new Command('lab').description('a cluster’s network on one machine, from one topology');
  // Commander ends with 1 where it cannot use the words; scripts go by 2 (docs/lab.md). Verbs inherit it.
  lab.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  lab
    .command('run <file>')
    .description('up, with agents and collector; play the traffic; print what was seen of it; down')
    .addOption(new Option('-o, --output <format>', 'how to print it').choices(['json']).default('json'))
    .addOption(sourceOption())
    .action(async (file: string, { source }: { source: string }) => {
      const result = await withLab(file, source, playAll);
      process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    });
  lab
    .command('up <file>')
    .description('bring it up and leave it up, with agents and collector')
    .addOption(sourceOption())
    .action(up);
  lab
    .command('hold <file>', { hidden: true })
    .addOption(sourceOption())
    .action(async (file: string, { source }: { source: string }) => {
      await withLab(file, source, async ({ network, waybill }) => {
        process.stdout.write(`${waybill.clientCommand(['status']).join(' ')}\n`);
        process.stdout.write(`manifests: ${network.manifests}\nready\n`);
        await once(process, 'SIGUSR1');
      });
    });
  lab.command('down').description('take down what is up').action(down);
  lab
    .command('clean')
    .description('remove what a crash left')
    .action(async () => {
      const removed = await removeLeftovers();
      process.stdout.write(removed.length === 0 ? 'nothing was left\n' : `removed ${removed.join(', ')}\n`);
    });
  return lab;
}

/** A process of its own holds the lab until `down` ends it. */
async function up(file: string, { source }: { source: string }): Promise<void> {
  await readTopology(file);
  const live = await liveLabs();
  if (live.length > 0) throw new ProblemError(alreadyUp(`lab ${live[0]!.id}`));
  const child = spawn(process.execPath, [process.argv[1]!, 'hold', file, '--source', source], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  let said = '';
  for await (const chunk of child.stdout) {
    process.stdout.write(chunk as Buffer);
    said += String(chunk);
    if (said.endsWith('ready\n')) {
      child.unref();
      return;
    }
  }
  const [code] = (await ended) as [number | null];
  process.exitCode = code ?? 2;
}

async function down(): Promise<void> {
  const live = await liveLabs();
  if (live.length === 0) throw new ProblemError(nothingUp());
  for (const { pid } of live) process.kill(pid, 'SIGUSR1');
  while ((await liveLabs()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
}

async function main(): Promise<void> {
  // A reader that goes away (`| head`) ends the program, and is no error; the lab is taken down all the same.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  checkPrograms();
  const code = await elsewhere();
  if (code === undefined) await program().parseAsync();
  else process.exitCode = code;
}

main().catch((error: unknown) => {
  const lines = error instanceof ProblemError ? error.problems.map(problemLine).join('\n') : String(error);
  process.stderr.write(`${process.env.WAYBILL_DEBUG === '1' && error instanceof Error ? error.stack : lines}\n`);
  process.exitCode = 2;
});
