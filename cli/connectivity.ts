// `waybill connectivity`: every connection that a folder of manifests lets pass, or what a change of it opens and closes.
import type { Writable } from 'node:stream';
import { SingleBar } from 'cli-progress';
import { Command, Option } from 'commander';
import { connectivity, type Filter, passingVerdicts } from '../connectivity/connectivity.ts';
import { changeKinds, difference } from '../connectivity/difference.ts';
import type { EndpointGroupJson } from '../connectivity/endpoint-groups.ts';
import type { ClusterState } from '../connectivity/lines.ts';
import { ProblemError } from '../model/problem.ts';
import { parsePolicyOptions } from '../policy/options.ts';
import { loadClusterStates, noWorkloadsLines } from './cluster-states.ts';
import { badFlag } from './errors.ts';
import { repeatableOption } from './list-command.ts';
import { changedFormatter, changedJson, passingFormatter, passingJson } from './output/connectivity.ts';
import { formatLines, type LineOutput, lineOutputs } from './output/lines.ts';
import { type ColorMode, colorOption, screenOf } from './output/screen.ts';
import { write } from './output/write.ts';
import { appendValue, policyOptionsText } from './verdict.ts';

export type ConnectivityFlags = {
  cluster: string;
  diff?: string;
  namespace?: readonly string[];
  verdict?: readonly string[];
  failOn?: readonly string[];
  option?: readonly string[];
  output: LineOutput;
  color: ColorMode;
};

type Stream = Writable & { isTTY?: boolean; columns?: number };
export type ConnectivityStreams = { stdout: Stream; stderr: Stream };

/** The exit code is set when it is done; what could not be done is thrown as a ProblemError. */
export function connectivityCommand(streams: ConnectivityStreams = process): Command {
  return new Command('connectivity')
    .description('every connection that a folder of manifests lets pass, or what a change of it opens and closes')
    .requiredOption('--cluster <path>', 'file or folder of manifests, read recursively; - is stdin')
    .option('--diff <path>', 'the same after a change: show only what it opens, closes, declares or leaves undeclared')
    .addOption(repeatableOption('-n, --namespace <name>', 'of either end'))
    .addOption(
      repeatableOption('--verdict <verdict>', `${passingVerdicts.join(', ')}; of a change, before or after it`),
    )
    .addOption(failOnOption())
    .option('--option <name=value>', `what the API leaves open: ${policyOptionsText()}`, appendValue)
    .addOption(new Option('-o, --output <format>', 'how to show it').choices(lineOutputs).default('table'))
    .addOption(colorOption())
    .action(async (flags: ConnectivityFlags) => {
      process.exitCode = await runConnectivity(flags, streams);
    });
}

function failOnOption(): Option {
  const add = (value: string, previous: readonly string[] = []): readonly string[] => [
    ...previous,
    ...value.split(','),
  ];
  const values = `with --diff ${changeKinds.join(', ')}, else ${passingVerdicts.join(', ')}; any`;
  return new Option('--fail-on <what>', `exit code 1 where such a line is shown: ${values} (several: either)`)
    .env('WAYBILL_FAIL_ON')
    .argParser(add);
}

/** Exit code: 2 where something could not be read, else 1 where a line that is shown is what `--fail-on` asks about. */
export async function runConnectivity(
  flags: ConnectivityFlags,
  { stdout, stderr }: ConnectivityStreams,
): Promise<0 | 1 | 2> {
  const { options, problems } = parsePolicyOptions(flags.option ?? []);
  if (problems.length > 0) throw new ProblemError(...problems);
  const verdicts = (flags.verdict ?? passingVerdicts).map((one) => parseChoice('--verdict', one, passingVerdicts));
  const failOnChoices = [...(flags.diff === undefined ? passingVerdicts : changeKinds), 'any'];
  const failOn = (flags.failOn ?? []).map((one) => parseChoice('--fail-on', one, failOnChoices));

  const states = await loadClusterStates(
    flags.diff === undefined ? [flags.cluster] : [flags.cluster, flags.diff],
    stderr,
  );

  let failOnMet = false;
  const checkFailOn = (what: string): void => {
    failOnMet ||= failOn.includes('any') || failOn.includes(what);
  };
  const progress = new Progress(stdout, stderr);
  const filter: Filter = { verdicts, includesPair: namespaceFilter(flags.namespace), onProgress: progress.show };
  const noWorkloads = noWorkloadsLines(states, flags.namespace);
  const emptyText = noWorkloads.length === states.length ? noWorkloads.join('; ') : undefined;
  // Who reads a table sees it there, where nothing else is.
  if (flags.output !== 'table' || emptyText === undefined) for (const line of noWorkloads) stderr.write(`${line}\n`);
  const outputOptions = {
    output: flags.output,
    emptyText:
      emptyText ?? (flags.verdict === undefined ? undefined : `no connections that are ${verdicts.join(' or ')}`),
    ambiguous: ambiguousNames(states),
    screen: screenOf(stdout, flags.color, process.env),
  };
  const [state, changed] = states;
  const chunks =
    changed === undefined
      ? formatLines(
          mapToJson(connectivity(state!, options, filter), passingJson, (one) => checkFailOn(one.verdict)),
          passingFormatter,
          outputOptions,
        )
      : formatLines(
          mapToJson(difference(state!, changed, options, filter), changedJson, (one) => checkFailOn(one.change)),
          changedFormatter,
          outputOptions,
        );
  await write(chunks, stdout);
  progress.end();
  if (states.some(({ complete }) => !complete)) return 2;
  return failOnMet ? 1 : 0;
}

function parseChoice<Word extends string>(flag: string, value: string, choices: readonly Word[]): Word {
  const found = choices.find((one) => one === value);
  if (found !== undefined) return found;
  throw new ProblemError(badFlag(`${flag} ${value}`, 'there is no such value', `give one of ${choices.join(', ')}`));
}

function namespaceFilter(namespaces: readonly string[] | undefined): Filter['includesPair'] {
  if (namespaces === undefined) return () => true;
  const isSelected = (group: EndpointGroupJson) => 'namespace' in group && namespaces.includes(group.namespace);
  return (initiator, responder) => isSelected(initiator) || isSelected(responder);
}

/** `NS/NAME` of workloads that only their kind tells apart. */
function ambiguousNames(states: readonly ClusterState[]): Set<string> {
  const kinds = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const endpoint of states.flatMap(({ endpoints: residents }) => residents)) {
    if (endpoint.kind !== 'workload') continue;
    const { namespace, workload } = endpoint;
    const name = `${namespace}/${workload.name}`;
    if ((kinds.get(name) ?? workload.kind) !== workload.kind) ambiguous.add(name);
    kinds.set(name, workload.kind);
  }
  return ambiguous;
}

function* mapToJson<Line, Json>(
  lines: Iterable<Line>,
  toJson: (line: Line) => Json,
  onItem: (one: Json) => void,
): Generator<Json> {
  for (const line of lines) {
    const one = toJson(line);
    onItem(one);
    yield one;
  }
}

/** On a terminal that does not show the lines themselves, where there are many. */
class Progress {
  readonly #stream: Stream | undefined;
  #bar: SingleBar | undefined;

  constructor(stdout: Stream, stderr: Stream) {
    this.#stream = stderr.isTTY === true && stdout.isTTY !== true ? stderr : undefined;
  }

  readonly show = (done: number, total: number): void => {
    if (this.#stream === undefined || total < minGroupsForProgress) return;
    if (this.#bar === undefined) {
      const format = 'connectivity [{bar}] {percentage} %, {eta_formatted} left';
      this.#bar = new SingleBar({ format, stream: this.#stream });
      this.#bar.start(total, 0);
    }
    this.#bar.update(done);
  };

  end(): void {
    this.#bar?.stop();
  }
}

const minGroupsForProgress = 200;
