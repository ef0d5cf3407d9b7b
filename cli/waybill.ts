#!/usr/bin/env node
// The command line. Each verb has a file, which is loaded only if it is used.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { ProblemError, problemLine } from '../model/problem.ts';
import { restartWithMemoryFlags } from './agent-process.ts';
import { useCompileCache } from './compile-cache.ts';
import { print, printLine } from './output/print.ts';

type Verb = { name: string; group: string; description: string; load: () => Promise<Command> };

const offline = 'Check manifests and captures:';
const online = 'Ask a running collector:';
const programs = 'Run Waybill:';

const verbs: readonly Verb[] = [
  {
    name: 'verdict',
    group: offline,
    description: 'Show whether policies allow a connection, and why',
    load: async () => (await import('./verdict.ts')).verdictCommand(),
  },
  {
    name: 'lint',
    group: offline,
    description: 'List mistakes in the policies of a folder of manifests',
    load: async () => (await import('./lint.ts')).lintCommand(),
  },
  {
    name: 'connectivity',
    group: offline,
    description:
      'List the connections that manifests allow or leave undeclared, or what a change of them opens and closes',
    load: async () => (await import('./connectivity.ts')).connectivityCommand(),
  },
  {
    name: 'policies',
    group: offline,
    description: 'Show which policies select a pod, in their order, and what they leave open',
    load: async () => (await import('./policies.ts')).policiesCommand(),
  },
  {
    name: 'replay',
    group: offline,
    description: 'Evaluate capture files (pcap, pcapng) against manifests, and list the findings',
    load: async () => (await import('./replay.ts')).replayCommand(),
  },
  {
    name: 'findings',
    group: online,
    description: 'List policy violations and enforcement gaps',
    load: async () => (await import('./findings.ts')).findingsCommand(),
  },
  {
    name: 'flows',
    group: online,
    description: 'List observed connections with their verdicts',
    load: async () => (await import('./flows.ts')).flowsCommand(),
  },
  {
    name: 'status',
    group: online,
    description: 'Show nodes, lag, lost packets and pending work',
    load: async () => (await import('./status.ts')).statusCommand(),
  },
  {
    name: 'agent',
    group: programs,
    description: 'Run the agent of a node',
    load: async () => (await import('./programs.ts')).agentCommand(version()),
  },
  {
    name: 'collector',
    group: programs,
    description: 'Run the collector',
    load: async () => (await import('./programs.ts')).collectorCommand(version()),
  },
  {
    name: 'certs',
    group: programs,
    description: 'Create development certificates for a collector, its agents and a client',
    load: async () => (await import('./certs.ts')).certsCommand(),
  },
];

export function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** The command line, with the named verb loaded; `help` loads all of them. */
export async function program(verbName: string | undefined): Promise<Command> {
  const root = new Command('waybill')
    .description('Show whether the traffic in a Kubernetes cluster is the traffic that was declared')
    .usage('VERB [options]')
    .version(version(), '-V, --version', 'Show the version')
    .helpCommand('help [verb]', 'Show the help of a verb')
    .addHelpText(
      'after',
      '\nExit codes:\n  0  success\n  1  a result met --fail-on, or a line of a batch was invalid\n' +
        '  2  failed, or an input could not be read\n\nSet WAYBILL_DEBUG=1 to see the stack trace of an unexpected error.',
    );
  for (const verb of verbs) {
    const isUsed = verb.name === verbName || verbName === 'help';
    const command = isUsed ? await verb.load() : new Command(verb.name).allowUnknownOption();
    root.addCommand(command.description(verb.description).helpGroup(verb.group));
  }
  for (const command of [root, ...root.commands]) {
    command
      .helpOption('-h, --help', 'Show this help')
      .exitOverride()
      .configureOutput({ outputError: () => undefined });
  }
  return root;
}

async function main(): Promise<void> {
  // A closed stdout (`| head`) ends the program without an error.
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
    const message = error.code === 'commander.help' ? `unknown command '${process.argv.at(-1)}'` : error.message;
    printLine(process.stderr, usageLine(message));
  } else if (error instanceof ProblemError) {
    for (const problem of error.problems) printLine(process.stderr, problemLine(problem));
  } else {
    const unexpected = error instanceof Error ? error : new Error(String(error));
    const detail = process.env.WAYBILL_DEBUG === '1' ? unexpected.stack : unexpected.message.split('\n')[0];
    print(process.stderr, `unexpected-error: ${detail}; set WAYBILL_DEBUG=1 to see the stack trace, and report it\n`);
  }
  process.exitCode = 2;
}

function usageLine(message: string): string {
  return `bad-usage: ${message
    .replace(/^error: /, '')
    .split('\n')
    .join(' ')}; see --help`;
}

if (import.meta.main) main().catch(fail);
