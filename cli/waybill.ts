#!/usr/bin/env node
// The command line: one file a verb, each loaded only when it is asked for.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { ProblemError, problemLine } from '../model/problem.ts';
import { restartWithMemoryFlags } from './agent-process.ts';
import { useCompileCache } from './compile-cache.ts';

type Verb = { name: string; description: string; load: () => Promise<Command> };

const verbs: readonly Verb[] = [
  {
    name: 'verdict',
    description: 'what the declared policies say of a connection, and why',
    load: async () => (await import('./verdict.ts')).verdictCommand(),
  },
  {
    name: 'lint',
    description: 'what is wrong with declared policies, before any packet is sent',
    load: async () => (await import('./lint.ts')).lintCommand(),
  },
  {
    name: 'connectivity',
    description: 'every connection that manifests let pass, or what a change of them opens and closes',
    load: async () => (await import('./connectivity.ts')).connectivityCommand(),
  },
  {
    name: 'replay',
    description: 'judge capture files by a folder of manifests, offline',
    load: async () => (await import('./replay.ts')).replayCommand(),
  },
  {
    name: 'findings',
    description: 'what is held against the network, from a running collector',
    load: async () => (await import('./findings.ts')).findingsCommand(),
  },
  {
    name: 'flows',
    description: 'connections as they were seen and judged, from a running collector',
    load: async () => (await import('./flows.ts')).flowsCommand(),
  },
  {
    name: 'status',
    description: 'nodes, lag, losses and what waits, from a running collector',
    load: async () => (await import('./status.ts')).statusCommand(),
  },
  {
    name: 'agent',
    description: 'run the agent of a node',
    load: async () => (await import('./programs.ts')).agentCommand(version()),
  },
  {
    name: 'collector',
    description: 'run the collector',
    load: async () => (await import('./programs.ts')).collectorCommand(version()),
  },
  {
    name: 'certs',
    description: 'make development certificates',
    load: async () => (await import('./certs.ts')).certsCommand(),
  },
];

export function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** The whole command with the one verb that is asked for loaded; all of them where none is. */
export async function program(verbName: string | undefined): Promise<Command> {
  const root = new Command('waybill')
    .description('Says whether what crosses a Kubernetes network is what was declared.')
    .version(version())
    .addHelpText(
      'after',
      '\nExit codes: 0 done and nothing held against it; 1 done, and what --fail-on or a batch line asks about was ' +
        'found;\n2 could not be done. WAYBILL_DEBUG=1 shows where an unexpected error came from.',
    );
  for (const verb of verbs) {
    if (verb.name === verbName || verbName === 'help') root.addCommand(await verb.load());
    else root.addCommand(new Command(verb.name).description(verb.description).allowUnknownOption());
  }
  root.exitOverride();
  for (const command of root.commands) command.exitOverride().configureOutput({ outputError: () => undefined });
  root.configureOutput({ outputError: () => undefined });
  return root;
}

async function main(): Promise<void> {
  // A reader that goes away (`| head`) ends the program, and is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2));
  const verbName = process.argv.slice(2).find((word) => !word.startsWith('-'));
  if (verbName === 'agent') restartWithMemoryFlags();
  useCompileCache();
  const root = await program(verbName);
  if (process.argv.length <= 2) {
    root.outputHelp();
    return;
  }
  await root.parseAsync();
}

function fail(error: unknown): void {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return;
    const message = error.code === 'commander.help' ? `no verb is called ${process.argv.at(-1)}` : error.message;
    process.stderr.write(`${usageLine(message)}\n`);
  } else if (error instanceof ProblemError) {
    process.stderr.write(`${error.problems.map(problemLine).join('\n')}\n`);
  } else {
    const unexpected = error instanceof Error ? error : new Error(String(error));
    const detail = process.env.WAYBILL_DEBUG === '1' ? unexpected.stack : unexpected.message.split('\n')[0];
    process.stderr.write(`unexpected-error: ${detail}; set WAYBILL_DEBUG=1 to see where, and report it\n`);
  }
  process.exitCode = 2;
}

function usageLine(message: string): string {
  return `bad-usage: ${message
    .replace(/^error: /, '')
    .split('\n')
    .join(' ')}; --help has the flags`;
}

if (import.meta.main) main().catch(fail);
