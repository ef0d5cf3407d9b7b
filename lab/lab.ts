// `npm run lab`: runs a cluster's network on one machine, from a topology (docs/lab.md).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Command, Option } from 'commander';
import { sourceNames } from '../agent/capture/choose.ts';
import { ProblemError, problemLine } from '../model/problem.ts';
import { playAll, withLab } from './session.ts';
import { alreadyUp, nothingUp } from './system/errors.ts';
import { liveLabs, removeLeftovers } from './system/leftovers.ts';
import { checkPrograms, rerunAsRoot } from './system/privilege.ts';
import { readTopology } from './topology/topology.ts';

const sourceOption = () =>
  new Option('--source <source>', 'Capture source of the agents').choices(['auto', ...sourceNames]).default('pcap');

function program(): Command {
  const lab = new Command('lab').description('Run a cluster’s network on one machine, from a topology');
  // Commander exits with 1 for invalid arguments; the lab's exit code is 2 (docs/lab.md). Subcommands inherit it.
  lab.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
  lab
    .command('run <file>')
    .description(
      'Bring up the lab of a topology with agents and a collector, send its traffic, print the result, and take the lab down',
    )
    .addOption(new Option('-o, --output <format>', 'Output format').choices(['json']).default('json'))
    .addOption(sourceOption())
    .action(async (file: string, { source }: { source: string }) => {
      const result = await withLab(file, source, playAll);
      process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    });
  lab
    .command('up <file>')
    .description('Bring up the lab of a topology with agents and a collector, and leave it up')
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
  lab.command('down').description('Take down the lab that is up').action(down);
  lab
    .command('clean')
    .description('Remove what a crashed lab left')
    .action(async () => {
      const removed = await removeLeftovers();
      process.stdout.write(removed.length === 0 ? 'nothing to remove\n' : `removed ${removed.join(', ')}\n`);
    });
  return lab;
}

/** A background process (`hold`) owns the lab until `down` ends it. */
async function up(file: string, { source }: { source: string }): Promise<void> {
  await readTopology(file);
  const live = await liveLabs();
  if (live.length > 0) throw new ProblemError(alreadyUp(`lab ${live[0]!.id}`));
  const child = spawn(process.execPath, [process.argv[1]!, 'hold', file, '--source', source], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Not inherited: the background process would keep a caller's pipe open.
  child.stderr.pipe(process.stderr);
  const exited = once(child, 'exit');
  let output = '';
  for await (const chunk of child.stdout) {
    process.stdout.write(chunk as Buffer);
    output += String(chunk);
    if (output.endsWith('ready\n')) {
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      return;
    }
  }
  const [code] = (await exited) as [number | null];
  process.exitCode = code ?? 2;
}

async function down(): Promise<void> {
  const live = await liveLabs();
  if (live.length === 0) throw new ProblemError(nothingUp());
  for (const { pid } of live) process.kill(pid, 'SIGUSR1');
  while ((await liveLabs()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
}

async function main(): Promise<void> {
  // A reader that exits early (`| head`) is not an error; the lab is still taken down.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  checkPrograms();
  const code = await rerunAsRoot();
  if (code === undefined) await program().parseAsync();
  else process.exitCode = code;
}

main().catch((error: unknown) => {
  const lines = error instanceof ProblemError ? error.problems.map(problemLine).join('\n') : String(error);
  process.stderr.write(`${process.env.WAYBILL_DEBUG === '1' && error instanceof Error ? error.stack : lines}\n`);
  process.exitCode = 2;
});
