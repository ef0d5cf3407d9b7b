// What `waybill findings` and `waybill flows` have in common: filters, formats, following, and reading their own output.
import { Command, Option } from 'commander';
import {
  defaultLast,
  isProblem,
  parameterNames,
  type RawParameters,
  readParameters,
} from '../collector/api/parameters.ts';
import type { ListQuery } from '../collector/store/store.ts';
import { ProblemError } from '../model/problem.ts';
import { addClientFlags, type ClientFlags, CollectorClient } from './collector-client.ts';
import { badFlag, badInput, unexpectedResponse } from './errors.ts';
import { formatItems, formatStreamedItem, type ItemFormatter, type Output, outputs } from './output/format.ts';
import { readValues } from './output/input-file.ts';
import type { ItemReader } from './output/item-readers.ts';
import { type ColorMode, colorOption, type Screen, screenOf } from './output/screen.ts';

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
};

/** `onItem` is called with every item that is shown, to set the exit code. */
export function listCommand<Item, Flags extends ListFlags>(
  spec: ListCommandSpec<Item>,
  onItem: (item: Item, flags: Flags) => void,
): Command {
  const { name, description } = spec;
  const command = new Command(name)
    .description(description)
    .addOption(repeatableOption('-n, --namespace <name>', 'of either end'))
    .addOption(
      new Option('-A, --all-namespaces', 'every namespace, whatever WAYBILL_NAMESPACE says').env('WAYBILL_ALL'),
    )
    .addOption(repeatableOption('--pod <name>', 'pod or workload at either end: NAME or NAMESPACE/NAME'))
    .addOption(repeatableOption('--from-pod <name>', 'the same at the initiator'))
    .addOption(repeatableOption('--to-pod <name>', 'the same at the responder'))
    // In a pod beside a Service that is called waybill, Kubernetes sets WAYBILL_PORT to its address.
    .addOption(repeatableOptionWithoutEnv('--port <number>', 'of the responder'))
    .addOption(new Option('--since <time>', 'seen since: 10m ago, or a time (RFC 3339)').env('WAYBILL_SINCE'))
    .addOption(new Option('--until <time>', 'begun before: the same').env('WAYBILL_UNTIL'))
    .addOption(
      new Option('--last <number>', `at most so many, newest first (default: ${defaultLast[name]})`).env(
        'WAYBILL_LAST',
      ),
    )
    .addOption(new Option('-f, --follow', 'go on with what comes, until it is interrupted').env('WAYBILL_FOLLOW'))
    .addOption(outputOption())
    .addOption(
      new Option(
        '--input-file <file>',
        'read what -o json or jsonl wrote in place of asking a collector; - for stdin',
      ).env('WAYBILL_INPUT_FILE'),
    )
    .addOption(colorOption());
  addClientFlags(command);
  return command.action(async (parsed: Flags) => {
    const flags = { ...parsed, ...booleanFlags(command, parsed) };
    const query = queryOf(spec.name, flags);
    const screen = screenOf(process.stdout, flags.color, process.env);
    const show = (items: readonly Item[]): void => {
      for (const item of items) onItem(item, flags);
      process.stdout.write(formatItems(items, flags.output, spec.formatter, screen));
    };
    if (flags.inputFile !== undefined) show(await readItems(flags.inputFile, spec, query));
    else if (flags.follow) await follow(spec, flags, screen, (item) => onItem(item, flags));
    else show(await fetchItems(spec, flags));
  });
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to show them')
    .env('WAYBILL_OUTPUT')
    .choices(outputs)
    .default('table');
}

/** Given several times, or with commas, it means either. */
export function repeatableOption(flags: string, help: string): Option {
  const name = /--([\w-]+)/.exec(flags)![1]!;
  return repeatableOptionWithoutEnv(flags, help).env(`WAYBILL_${name.toUpperCase().replaceAll('-', '_')}`);
}

function repeatableOptionWithoutEnv(flags: string, help: string): Option {
  const add = (value: string, previous: readonly string[] = []): readonly string[] => [
    ...previous,
    ...value.split(','),
  ];
  return new Option(flags, `${help} (several: either)`).argParser(add);
}

/** A switch in the environment may also be off: WAYBILL_FOLLOW=false. */
function booleanFlags(command: Command, flags: ListFlags): { follow: boolean; allNamespaces: boolean } {
  const isOn = (name: 'follow' | 'allNamespaces', variable: string): boolean => {
    if (command.getOptionValueSource(name) !== 'env') return flags[name] === true;
    return !['', '0', 'false', 'no'].includes(process.env[variable]!.toLowerCase());
  };
  return { follow: isOn('follow', 'WAYBILL_FOLLOW'), allNamespaces: isOn('allNamespaces', 'WAYBILL_ALL') };
}

/** The same check as the collector's, so that a mistake is found before anybody is asked. */
function queryOf(name: 'findings' | 'flows', flags: ListFlags): ListQuery {
  if (flags.follow && flags.inputFile !== undefined) {
    throw new ProblemError(badFlag('--follow', 'a file does not go on', 'leave it or --input-file out'));
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
  if (hasMore) process.stderr.write(`the newest ${items.length} are shown; there are more (--last, --since)\n`);
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
      process.stdout.write(formatStreamedItem(item, flags.output, formatter, screen));
    } else if (isRetraction(value)) {
      process.stdout.write(retractionText(value.id, flags.output));
    } else {
      throw new ProblemError(unexpectedResponse(client.url));
    }
  }
}

function isRetraction(value: unknown): value is { id: string; gone: true } {
  return typeof value === 'object' && value !== null && 'gone' in value && 'id' in value && /^\S+$/.test(`${value.id}`);
}

/** Nobody counts it any more; programs are told by the same line that the API gives. */
function retractionText(id: string, output: Output): string {
  if (output === 'json' || output === 'jsonl') return `${JSON.stringify({ id, gone: true })}\n`;
  return output === 'yaml' ? `- id: ${JSON.stringify(id)}\n  gone: true\n` : `${JSON.stringify(id)} was taken back\n`;
}

/** As they stand in the file, but for --last: then the newest come first, as from a collector. */
async function readItems<Item>(file: string, { reader }: ListCommandSpec<Item>, query: ListQuery): Promise<Item[]> {
  const items: Item[] = [];
  for await (const { value, place } of readValues(file, process.stdin)) {
    if (isRetraction(value)) continue;
    const item = reader.read(value);
    if (item === undefined) throw new ProblemError(badInput(place));
    if (reader.matches(query, item)) items.push(item);
  }
  if (items.length <= query.last) return items;
  process.stderr.write(`the newest ${query.last} of ${items.length} are shown (--last)\n`);
  return items.sort((a, b) => reader.lastUs(b) - reader.lastUs(a)).slice(0, query.last);
}
