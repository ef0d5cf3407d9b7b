// `waybill connectivity`: every connection that a folder of manifests lets pass, or what a change of it opens and closes.
import type { Writable } from 'node:stream';
import { SingleBar } from 'cli-progress';
import { Command, Option } from 'commander';
import { connectivity, type Filter, passingVerdicts } from '../connectivity/connectivity.ts';
import { changes, difference } from '../connectivity/difference.ts';
import type { World } from '../connectivity/lines.ts';
import type { PlaceJson } from '../connectivity/places.ts';
import { ProblemError } from '../model/problem.ts';
import { parsePolicyOptions } from '../policy/options.ts';
import { badFlag } from './errors.ts';
import { anyOfOption } from './list-command.ts';
import { changedJson, changedShape, passingJson, passingShape } from './output/connectivity.ts';
import { type LineOutput, lineOutputs, lineTexts } from './output/lines.ts';
import { type ColorWanted, colorOption, screenOf } from './output/screen.ts';
import { write } from './output/written.ts';
import { collect, optionsText } from './verdict.ts';
import { emptyWorlds, readWorlds } from './worlds.ts';

export type ConnectivityFlags = {
  cluster: string;
  diff?: string;
  namespace?: readonly string[];
  verdict?: readonly string[];
  failOn?: readonly string[];
  option?: readonly string[];
  output: LineOutput;
  color: ColorWanted;
};

type Stream = Writable & { isTTY?: boolean; columns?: number };
export type Streams = { stdout: Stream; stderr: Stream };

/** The exit code is set when it is done; what could not be done is thrown as a ProblemError. */
export function connectivityCommand(streams: Streams = process): Command {
  return new Command('connectivity')
    .description('every connection that a folder of manifests lets pass, or what a change of it opens and closes')
    .requiredOption('--cluster <path>', 'file or folder of manifests, read recursively; - is stdin')
    .option('--diff <path>', 'the same after a change: show only what it opens, closes, declares or leaves undeclared')
    .addOption(anyOfOption('-n, --namespace <name>', 'of either end'))
    .addOption(anyOfOption('--verdict <verdict>', `${passingVerdicts.join(', ')}; of a change, before or after it`))
    .addOption(failOnOption())
    .option('--option <name=value>', `what the API leaves open: ${optionsText()}`, collect)
    .addOption(new Option('-o, --output <format>', 'how to show it').choices(lineOutputs).default('table'))
    .addOption(colorOption())
    .action(async (flags: ConnectivityFlags) => {
      process.exitCode = await runConnectivity(flags, streams);
    });
}

function failOnOption(): Option {
  const add = (value: string, former: readonly string[] = []): readonly string[] => [...former, ...value.split(',')];
  const values = `with --diff ${changes.join(', ')}, else ${passingVerdicts.join(', ')}; any`;
  return new Option('--fail-on <what>', `exit code 1 where such a line is shown: ${values} (several: either)`)
    .env('WAYBILL_FAIL_ON')
    .argParser(add);
}

/** Exit code: 2 where something could not be read, else 1 where a line that is shown is what `--fail-on` asks about. */
export async function runConnectivity(flags: ConnectivityFlags, { stdout, stderr }: Streams): Promise<0 | 1 | 2> {
  const { options, problems } = parsePolicyOptions(flags.option ?? []);
  if (problems.length > 0) throw new ProblemError(...problems);
  const verdicts = (flags.verdict ?? passingVerdicts).map((one) => known('--verdict', one, passingVerdicts));
  const words = [...(flags.diff === undefined ? passingVerdicts : changes), 'any'];
  const failOn = (flags.failOn ?? []).map((one) => known('--fail-on', one, words));

  const worlds = await readWorlds(flags.diff === undefined ? [flags.cluster] : [flags.cluster, flags.diff], stderr);

  let fails = false;
  const held = (what: string): void => {
    fails ||= failOn.includes('any') || failOn.includes(what);
  };
  const progress = new Progress(stdout, stderr);
  const filter: Filter = { verdicts, concerns: concerned(flags.namespace), onProgress: progress.show };
  const empty = emptyWorlds(worlds, flags.namespace);
  const none = empty.length === worlds.length ? empty.join('; ') : undefined;
  // Who reads a table sees it there, where nothing else is.
  if (flags.output !== 'table' || none === undefined) for (const line of empty) stderr.write(`${line}\n`);
  const to = {
    output: flags.output,
    none: none ?? (flags.verdict === undefined ? undefined : `no connections that are ${verdicts.join(' or ')}`),
    ambiguous: ambiguousNames(worlds),
    screen: screenOf(stdout, flags.color, process.env),
  };
  const [world, changed] = worlds;
  const texts =
    changed === undefined
      ? lineTexts(
          mapped(connectivity(world!, options, filter), passingJson, (one) => held(one.verdict)),
          passingShape,
          to,
        )
      : lineTexts(
          mapped(difference(world!, changed, options, filter), changedJson, (one) => held(one.change)),
          changedShape,
          to,
        );
  await write(texts, stdout);
  progress.end();
  if (worlds.some(({ whole }) => !whole)) return 2;
  return fails ? 1 : 0;
}

function known<Word extends string>(flag: string, word: string, words: readonly Word[]): Word {
  const found = words.find((one) => one === word);
  if (found !== undefined) return found;
  throw new ProblemError(badFlag(`${flag} ${word}`, 'there is no such value', `give one of ${words.join(', ')}`));
}

function concerned(namespaces: readonly string[] | undefined): Filter['concerns'] {
  if (namespaces === undefined) return () => true;
  const isOf = (place: PlaceJson) => 'namespace' in place && namespaces.includes(place.namespace);
  return (initiator, responder) => isOf(initiator) || isOf(responder);
}

/** `NS/NAME` of workloads that only their kind tells apart. */
function ambiguousNames(worlds: readonly World[]): Set<string> {
  const kinds = new Map<string, string>();
  const ambiguous = new Set<string>();
  for (const resident of worlds.flatMap(({ residents }) => residents)) {
    if (resident.kind !== 'workload') continue;
    const { namespace, workload } = resident;
    const name = `${namespace}/${workload.name}`;
    if ((kinds.get(name) ?? workload.kind) !== workload.kind) ambiguous.add(name);
    kinds.set(name, workload.kind);
  }
  return ambiguous;
}

function* mapped<Line, Json>(
  lines: Iterable<Line>,
  json: (line: Line) => Json,
  seen: (one: Json) => void,
): Generator<Json> {
  for (const line of lines) {
    const one = json(line);
    seen(one);
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

  readonly show = (done: number, of: number): void => {
    if (this.#stream === undefined || of < placesWithProgress) return;
    if (this.#bar === undefined) {
      const format = 'connectivity [{bar}] {percentage} %, {eta_formatted} left';
      this.#bar = new SingleBar({ format, stream: this.#stream });
      this.#bar.start(of, 0);
    }
    this.#bar.update(done);
  };

  end(): void {
    this.#bar?.stop();
  }
}

const placesWithProgress = 200;
