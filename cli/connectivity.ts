// `waybill connectivity`: the connections that policies do not deny, or what a change of manifests opens and closes.
import type { Writable } from 'node:stream';
import { SingleBar } from 'cli-progress';
import { Command, Option } from 'commander';
import type { Paths } from '../cluster/manifests/read.ts';
import { connectivity, type Filter, passingVerdicts } from '../connectivity/connectivity.ts';
import { changeKinds, difference } from '../connectivity/difference.ts';
import type { EndpointGroupJson } from '../connectivity/endpoint-groups.ts';
import type { ClusterState } from '../connectivity/lines.ts';
import { ProblemError } from '../model/problem.ts';
import { parsePolicyOptions } from '../policy/options.ts';
import { loadClusterStates, noWorkloadsLines } from './cluster-states.ts';
import { badFlag } from './errors.ts';
import { repeatableOption } from './list-command.ts';
import { checkStdinOnce, clusterOption, pathsOption } from './manifest-paths.ts';
import { changedFormatter, changedJson, passingFormatter, passingJson } from './output/connectivity.ts';
import { formatLines, type LineOutput, lineOutputs } from './output/lines.ts';
import { printChunks, printLine } from './output/print.ts';
import { type ColorMode, colorOption, screenOf } from './output/screen.ts';
import { appendValue, policyOptionHelp } from './verdict.ts';

export type ConnectivityFlags = {
  cluster: Paths;
  diff?: Paths;
  namespace?: readonly string[];
  verdict?: readonly string[];
  failOn?: readonly string[];
  wholeCluster?: true;
  option?: readonly string[];
  output: LineOutput;
  color: ColorMode;
};

type Stream = Writable & { isTTY?: boolean; columns?: number };
export type ConnectivityStreams = { stdout: Stream; stderr: Stream };

/** Sets the exit code after a result; a failure is thrown as a ProblemError. */
export function connectivityCommand(streams: ConnectivityStreams = process): Command {
  return new Command('connectivity')
    .description('List the connections that policies do not deny, or what a change of manifests opens and closes')
    .addOption(clusterOption())
    .addOption(
      pathsOption(
        '--diff <path>',
        'Show only what changes from --cluster to these manifests (repeatable, as --cluster)',
      ),
    )
    .addOption(repeatableOption('-n, --namespace <name>', 'Show only connections with this namespace at either end'))
    .addOption(
      repeatableOption(
        '--verdict <verdict>',
        `Show only this verdict: ${passingVerdicts.join(', ')}; with --diff, before or after the change`,
      ),
    )
    .addOption(failOnOption())
    .option('--whole-cluster', 'List no pods outside the manifests: they have all pods of the cluster')
    .option('--option <name=value>', policyOptionHelp(), appendValue)
    .addOption(new Option('-o, --output <format>', 'Output format').choices(lineOutputs).default('table'))
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
  const values = `any, ${passingVerdicts.join(', ')}; with --diff: any, ${changeKinds.join(', ')}`;
  return new Option(
    '--fail-on <what>',
    `Exit with code 1 if a shown line has this verdict or change: ${values} (repeatable)`,
  )
    .env('WAYBILL_FAIL_ON')
    .argParser(add);
}

/** Exit code: 2 if an input was unreadable, else 1 if a shown line meets `--fail-on`. */
export async function runConnectivity(
  flags: ConnectivityFlags,
  { stdout, stderr }: ConnectivityStreams,
): Promise<0 | 1 | 2> {
  const { options, problems } = parsePolicyOptions(flags.option ?? []);
  if (problems.length > 0) throw new ProblemError(...problems);
  const verdicts = (flags.verdict ?? passingVerdicts).map((one) => parseChoice('--verdict', one, passingVerdicts));
  const failOnChoices = [...(flags.diff === undefined ? passingVerdicts : changeKinds), 'any'];
  const failOn = (flags.failOn ?? []).map((one) => parseChoice('--fail-on', one, failOnChoices));

  checkStdinOnce(flags.cluster, flags.diff ?? []);
  const states = await loadClusterStates(
    flags.diff === undefined ? [flags.cluster] : [flags.cluster, flags.diff],
    stderr,
  );

  let failOnMet = false;
  const checkFailOn = (what: string): void => {
    failOnMet ||= failOn.includes('any') || failOn.includes(what);
  };
  const progress = new Progress(stdout, stderr);
  const filter: Filter = {
    verdicts,
    includesPair: namespaceFilter(flags.namespace),
    wholeCluster: flags.wholeCluster === true,
    onProgress: progress.show,
  };
  const noWorkloads = noWorkloadsLines(states, flags.namespace);
  const emptyText = noWorkloads.length === states.length ? noWorkloads.join('; ') : undefined;
  // An empty table shows this text itself.
  if (flags.output !== 'table' || emptyText === undefined) for (const line of noWorkloads) printLine(stderr, line);
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
  await printChunks(chunks, stdout, outputOptions.screen);
  progress.end();
  if (states.some(({ complete }) => !complete)) return 2;
  return failOnMet ? 1 : 0;
}

function parseChoice<Word extends string>(flag: string, value: string, choices: readonly Word[]): Word {
  const found = choices.find((one) => one === value);
  if (found !== undefined) return found;
  throw new ProblemError(
    badFlag(`${flag} ${value}`, `unknown value ${JSON.stringify(value)}`, `use ${choices.join(', ')}`),
  );
}

function namespaceFilter(namespaces: readonly string[] | undefined): Filter['includesPair'] {
  if (namespaces === undefined) return () => true;
  const isSelected = (group: EndpointGroupJson) =>
    'namespace' in group
      ? namespaces.includes(group.namespace)
      : group.kind === 'other-pods' && group.namespaces?.some((name) => namespaces.includes(name)) === true;
  return (initiator, responder) => isSelected(initiator) || isSelected(responder);
}

/** The `NS/NAME` that workloads of several kinds share. */
function ambiguousNames(states: readonly ClusterState[]): Set<string> {
  const kinds = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const endpoint of states.flatMap(({ endpoints }) => endpoints)) {
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

/** A bar on stderr, for long lists whose lines do not go to the terminal. */
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
