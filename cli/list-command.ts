// What `waybill findings` and `waybill flows` have in common: filters, formats, following, and reading their own output.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Command, Option } from 'commander';
import { durationMs } from '../config/setting.ts';
import { ProblemError } from '../model/problem.ts';
import { addClientFlags, type ClientFlags, CollectorClient } from './collector-client.ts';
import { badInput, badTime } from './errors.ts';
import { type Output, outputs, type Shape, shown } from './output/format.ts';

export type ListFlags = ClientFlags & {
  namespace?: string[];
  allNamespaces?: true;
  pod?: string[];
  since?: string;
  until?: string;
  last: string;
  follow?: true;
  output: Output;
  inputFile?: string;
};

/** Parameters of the API that one command has and the other has not. */
export type MoreParameters<Flags> = (flags: Flags) => Record<string, readonly string[] | undefined>;

/** Called with every item that was shown, to set the exit code. */
export type OnItem<Item, Flags> = (item: Item, flags: Flags) => void;

export function listCommand<Item, Flags extends ListFlags>(
  name: string,
  description: string,
  path: string,
  shape: Shape<Item>,
  more: MoreParameters<Flags>,
  onItem: OnItem<Item, Flags>,
): Command {
  const command = new Command(name)
    .description(description)
    .option('-n, --namespace <name...>', 'of either end (several: either)')
    .option('-A, --all-namespaces', 'every namespace (the default)')
    .option('--pod <name...>', 'name of a pod or workload at either end (several: either)')
    .option('--since <time>', 'seen since: a duration before now such as 10m, or a time (RFC 3339)')
    .option('--until <time>', 'begun before: the same')
    .option('--last <number>', 'at most so many, newest first', '100')
    .option('-f, --follow', 'go on with what comes')
    .addOption(new Option('-o, --output <format>', 'how to show them').choices(outputs).default('table'))
    .option('--input-file <file>', 'read what -o json or jsonl wrote in place of asking a collector; - for stdin');
  addClientFlags(command);
  return command.action(async (flags: Flags) => {
    const width = process.stdout.isTTY ? (process.stdout.columns ?? 80) : Number.POSITIVE_INFINITY;
    const show = (items: Item[], output: Output): void => {
      for (const item of items) onItem(item, flags);
      process.stdout.write(shown(items, output, shape, width));
    };
    if (flags.inputFile !== undefined) {
      show((await readInput(flags.inputFile)) as Item[], flags.output);
      return;
    }
    const client = new CollectorClient(flags);
    const parameters = parametersOf(flags, more(flags));
    if (!flags.follow) {
      show((await client.get(path, parameters)) as Item[], flags.output);
      return;
    }
    parameters.set('follow', 'true');
    const ending = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ending.abort());
    // One at a time: a table would wait for its last row.
    const output = flags.output === 'json' || flags.output === 'jsonl' ? 'jsonl' : 'compact';
    for await (const item of client.follow(path, parameters, ending.signal)) show([item as Item], output);
  });
}

function parametersOf(flags: ListFlags, more: Record<string, readonly string[] | undefined>): URLSearchParams {
  const parameters = new URLSearchParams();
  const namespaces = flags.allNamespaces ? undefined : flags.namespace;
  for (const [name, values] of Object.entries({ namespace: namespaces, pod: flags.pod, ...more })) {
    for (const value of values ?? []) parameters.append(name, value);
  }
  for (const name of ['since', 'until'] as const) {
    const text = flags[name];
    if (text !== undefined) parameters.set(name, timeOf(`--${name}`, text));
  }
  parameters.set('last', flags.last);
  return parameters;
}

function timeOf(flag: string, text: string): string {
  const ago = durationMs(text);
  if (ago !== undefined) return new Date(Date.now() - ago).toISOString();
  const ms = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms)) throw new ProblemError(badTime(flag, text));
  return new Date(ms).toISOString();
}

async function readInput(file: string): Promise<unknown[]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  const lines: string[] = [];
  try {
    for await (const line of createInterface({ input })) lines.push(line);
  } catch {
    throw new ProblemError(badInput(file, 0));
  }
  const text = lines.join('\n').trim();
  if (text.startsWith('[')) return parsed(file, 1, text) as unknown[];
  return lines.flatMap((line, index) => (line.trim() === '' ? [] : [parsed(file, index + 1, line)]));
}

function parsed(file: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ProblemError(badInput(file, line));
  }
}
