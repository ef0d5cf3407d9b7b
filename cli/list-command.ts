// The common part of `waybill findings` and `waybill flows`: filters, formats, --follow and --input-file.
import { Command, Option } from 'commander';
import {
  defaultFollowLast,
  defaultLast,
  isProblem,
  parameterNames,
  type RawParameters,
  readParameters,
  verdictNames,
} from '../collector/api/parameters.ts';
import type { ListQuery } from '../collector/store/store.ts';
import { ProblemError } from '../model/problem.ts';
import { addClientFlags, type ClientFlags, CollectorClient } from './collector-client.ts';
import { badFlag, badInput, unexpectedResponse } from './errors.ts';
import { formatItems, formatStreamedItem, type ItemFormatter, type Output, outputs } from './output/format.ts';
import { readValues } from './output/input-file.ts';
import type { ItemReader } from './output/item-readers.ts';
import { jsonText } from './output/json.ts';
import { print, printLine } from './output/print.ts';
import { type ColorMode, colorOption, type Screen, screenOf } from './output/screen.ts';

const timeHelp = 'a duration ago (10m, 2h, 3d) or a time (2026-01-31T08:00:00Z)';

export type ListFlags = ClientFlags & {
  namespace?: readonly string[];
  allNamespaces?: boolean;
  pod?: readonly string[];
  fromPod?: readonly string[];
  toPod?: readonly string[];
  port?: readonly string[];
  kind?: readonly string[];
  severity?: readonly string[];
  verdict?: readonly string[];
  since?: string;
  until?: string;
  last?: string;
  follow?: boolean;
  output: Output;
  color: ColorMode;
  inputFile?: string;
};

export type ListCommandSpec<Item> = {
  name: 'findings' | 'flows';
  description: string;
  reader: ItemReader<Item>;
  formatter: ItemFormatter<Item>;
  /** Filters that only one of the commands has, and --verdict. */
  filters: readonly Option[];
};

/** Calls `onItem` with every shown item, which may set the exit code. */
export function listCommand<Item, Flags extends ListFlags>(
  spec: ListCommandSpec<Item>,
  onItem: (item: Item, flags: Flags) => void,
): Command {
  const { name, description, filters } = spec;
  const command = new Command(name)
    .description(description)
    .addOption(repeatableOption('-n, --namespace <name>', 'Show only this namespace at either end'))
    .addOption(
      new Option('-A, --all-namespaces', 'Show all namespaces, even if WAYBILL_NAMESPACE is set').env('WAYBILL_ALL'),
    )
    .addOption(repeatableOption('--pod <name>', 'Show only this pod or workload at either end: NAME or NAMESPACE/NAME'))
    .addOption(repeatableOption('--from-pod <name>', 'Show only this pod or workload as initiator (client)'))
    .addOption(repeatableOption('--to-pod <name>', 'Show only this pod or workload as responder (server)'))
    // If a Service has the name waybill, Kubernetes sets WAYBILL_PORT to its address in pods.
    .addOption(repeatableOptionWithoutEnv('--port <number>', 'Show only this port of the responder'));
  for (const filter of filters) command.addOption(filter);
  command
    .addOption(new Option('--since <time>', `Show only ${name} seen since: ${timeHelp}`).env('WAYBILL_SINCE'))
    .addOption(new Option('--until <time>', `Show only ${name} that began before: ${timeHelp}`).env('WAYBILL_UNTIL'))
    .addOption(
      new Option(
        '--last <number>',
        `Show at most this many, newest first${name === 'findings' ? ', with an equal share for each severity and initiator' : ''} (default: ${defaultLast[name]}; with --follow: ${defaultFollowLast})`,
      ).env('WAYBILL_LAST'),
    )
    .addOption(new Option('-f, --follow', 'Keep running and show new items until interrupted').env('WAYBILL_FOLLOW'))
    .addOption(outputOption())
    .addOption(
      new Option(
        '--input-file <file>',
        'Read items from a file that -o json or -o jsonl wrote, not from a collector; - for stdin',
      ).env('WAYBILL_INPUT_FILE'),
    )
    .addOption(colorOption())
    .addHelpText(
      'after',
      '\nRepeat a flag, or separate values with commas, to match any of them.\nDifferent filters must all match.',
    );
  addClientFlags(command);
  return command.action(async (parsed: Flags) => {
    const flags = { ...parsed, ...booleanFlags(command, parsed) };
    const query = queryOf(spec.name, flags);
    const screen = screenOf(process.stdout, flags.color, process.env);
    const show = (items: readonly Item[]): void => {
      for (const item of items) onItem(item, flags);
      print(process.stdout, formatItems(items, flags.output, spec.formatter, screen), screen);
    };
    if (flags.inputFile !== undefined) show(await readItems(flags.inputFile, spec, query));
    else if (flags.follow) await follow(spec, flags, screen, (item) => onItem(item, flags));
    else show(await fetchItems(spec, flags));
  });
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'Output format').env('WAYBILL_OUTPUT').choices(outputs).default('table');
}

/** Takes several values, by repetition or with commas; any of them matches. */
export function repeatableOption(flags: string, help: string): Option {
  const name = /--([\w-]+)/.exec(flags)![1]!;
  return repeatableOptionWithoutEnv(flags, help).env(`WAYBILL_${name.toUpperCase().replaceAll('-', '_')}`);
}

export function verdictFilter(): Option {
  return repeatableOption('--verdict <verdict>', `Show only this verdict: ${verdictNames.join(', ')}`);
}

function repeatableOptionWithoutEnv(flags: string, help: string): Option {
  const add = (value: string, previous: readonly string[] = []): readonly string[] => [
    ...previous,
    ...value.split(','),
  ];
  return new Option(flags, `${help} (repeatable)`).argParser(add);
}

/** A variable can switch a flag off: WAYBILL_FOLLOW=false. */
function booleanFlags(command: Command, flags: ListFlags): { follow: boolean; allNamespaces: boolean } {
  const isOn = (name: 'follow' | 'allNamespaces', variable: string): boolean => {
    if (command.getOptionValueSource(name) !== 'env') return flags[name] === true;
    return !['', '0', 'false', 'no'].includes(process.env[variable]!.toLowerCase());
  };
  return { follow: isOn('follow', 'WAYBILL_FOLLOW'), allNamespaces: isOn('allNamespaces', 'WAYBILL_ALL') };
}

/** Applies the collector's own check before the request. */
function queryOf(name: 'findings' | 'flows', flags: ListFlags): ListQuery {
  if (flags.follow && flags.inputFile !== undefined) {
    throw new ProblemError(badFlag('--follow', 'a file has no new items to follow', 'remove --follow or --input-file'));
  }
  const raw: Record<string, string | readonly string[] | undefined> = {};
  for (const [parameter, value] of parametersOf(name, flags)) {
    const previous = raw[parameter];
    raw[parameter] =
      previous === undefined ? value : [...(typeof previous === 'string' ? [previous] : previous), value];
  }
  const result = readParameters(name, raw satisfies RawParameters, Date.now() * 1000);
  if (!isProblem(result)) return result.query;
  throw new ProblemError({ ...result, place: result.place.replace(/^parameter /, '--') });
}

function parametersOf(name: 'findings' | 'flows', flags: ListFlags): URLSearchParams {
  const { pod, fromPod, toPod, port, kind, severity, verdict, since, until, last } = flags;
  const namespace = flags.allNamespaces ? undefined : flags.namespace;
  const values = {
    namespace,
    pod,
    'from-pod': fromPod,
    'to-pod': toPod,
    port,
    kind,
    severity,
    verdict,
    since,
    until,
    last,
    follow: flags.follow && 'true',
  };
  const parameters = new URLSearchParams();
  for (const parameter of parameterNames[name]) {
    const value = values[parameter] || [];
    for (const one of typeof value === 'string' ? [value] : value) parameters.append(parameter, one);
  }
  return parameters;
}

async function fetchItems<Item>({ name, reader }: ListCommandSpec<Item>, flags: ListFlags): Promise<Item[]> {
  const client = new CollectorClient(flags);
  const { value, hasMore } = await client.get(`/v1/${name}`, parametersOf(name, flags));
  if (!Array.isArray(value)) throw new ProblemError(unexpectedResponse(client.url));
  const items = value.map((one) => {
    const item = reader.read(one);
    if (item === undefined) throw new ProblemError(unexpectedResponse(client.url));
    return item;
  });
  if (hasMore) printLine(process.stderr, `showing the newest ${items.length}; there are more (see --last and --since)`);
  return items;
}

async function follow<Item>(
  { name, reader, formatter }: ListCommandSpec<Item>,
  flags: ListFlags,
  screen: Screen,
  onItem: (item: Item) => void,
): Promise<void> {
  const client = new CollectorClient(flags);
  const shutdown = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => shutdown.abort());
  for await (const value of client.follow(`/v1/${name}`, parametersOf(name, flags), shutdown.signal)) {
    const item = reader.read(value);
    if (item !== undefined) {
      onItem(item);
      print(process.stdout, formatStreamedItem(item, flags.output, formatter, screen), screen);
    } else if (isRetraction(value)) {
      print(process.stdout, retractionText(value.id, flags.output));
    } else {
      throw new ProblemError(unexpectedResponse(client.url));
    }
  }
}

function isRetraction(value: unknown): value is { id: string; gone: true } {
  return typeof value === 'object' && value !== null && 'gone' in value && 'id' in value && /^\S+$/.test(`${value.id}`);
}

/** The item no longer counts. JSON has the same line as the API. */
function retractionText(id: string, output: Output): string {
  if (output === 'json' || output === 'jsonl') return `${jsonText({ id, gone: true })}\n`;
  return output === 'yaml' ? `- id: ${jsonText(id)}\n  gone: true\n` : `${jsonText(id)} was retracted\n`;
}

/** In the order of the file; if --last cuts the list, newest first as from a collector. */
async function readItems<Item>(file: string, { reader }: ListCommandSpec<Item>, query: ListQuery): Promise<Item[]> {
  const items: Item[] = [];
  for await (const { value, place } of readValues(file, process.stdin)) {
    if (isRetraction(value)) continue;
    const item = reader.read(value);
    if (item === undefined) throw new ProblemError(badInput(place));
    if (reader.matches(query, item)) items.push(item);
  }
  if (items.length <= query.last) return items;
  printLine(process.stderr, `showing the newest ${query.last} of ${items.length} (--last)`);
  return reader.newest(items, query.last);
}
