// `waybill replay`: capture files judged by a folder of manifests, offline: for forensics and CI.
import { stat } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { Command, Option } from 'commander';
import { Books } from '../accounting/accounting.ts';
import { Names as AnsweredNames } from '../agent/capture/names.ts';
import { replayFile } from '../agent/capture/pcap/replay.ts';
import { type Manifests, readManifests } from '../cluster/manifests/read.ts';
import { ClusterHistory } from '../collector/identity/cluster-history.ts';
import { Identities } from '../collector/identity/identity.ts';
import { Names } from '../collector/identity/names.ts';
import { PolicyHistory } from '../collector/identity/policy-history.ts';
import { zonesOf } from '../collector/identity/zones.ts';
import { Judging } from '../collector/judging.ts';
import { integer } from '../config/setting.ts';
import { type Severity, severities } from '../model/finding.ts';
import { findingJson } from '../model/json.ts';
import { isPolicy } from '../model/kubernetes.ts';
import { type Problem, ProblemError, problemLine } from '../model/problem.ts';
import { parsePolicyOptions } from '../policy/options.ts';
import { badFlag } from './errors.ts';
import { failOnOption, isAtLeast } from './findings.ts';
import { type Output, outputs, shown } from './output/format.ts';
import { screenOf } from './output/screen.ts';
import { findingShape } from './output/shapes.ts';
import { collect, optionsText } from './verdict.ts';

type Flags = {
  cluster: string;
  declared?: string;
  option?: string[];
  failOn?: Severity;
  output: Output;
  maxConnections: string;
};

const collectorDefaults = { answerTimeoutUs: 1_000_000, maxLagUs: 0, graceUs: 0, maxFindings: 1_000_000 };

const maxNamedAddresses = 100_000;

const mostConnections = integer({
  default: 1_000_000,
  min: 1,
  max: 10_000_000,
  help: 'live connections held at once',
});

export function replayCommand(): Command {
  return new Command('replay')
    .description('judge capture files (pcap, pcapng) by a folder of manifests, offline')
    .argument('<file...>', 'capture files, in the order of their time')
    .requiredOption('--cluster <path>', 'file or folder of manifests, read recursively; - is stdin')
    .option('--declared <path>', 'policies as they should be (Git): where they differ from those of --cluster is drift')
    .option('--option <name=value>', `what the API leaves open: ${optionsText()}`, collect)
    .option('--max-connections <number>', mostConnections.help, mostConnections.defaultText)
    .addOption(new Option('-o, --output <format>', 'how to show the findings').choices(outputs).default('table'))
    .addOption(failOnOption())
    .action(async (files: string[], flags: Flags) => {
      await replay(files, flags);
    });
}

async function replay(files: readonly string[], flags: Flags): Promise<void> {
  const { options, problems } = parsePolicyOptions(flags.option ?? []);
  if (problems.length > 0) throw new ProblemError(...problems);
  const most = mostConnections.read(flags.maxConnections);
  if ('fault' in most) throw new ProblemError(badFlag('--max-connections', most.fault, most.mend));
  const maxLive = most.value;
  const manifests = await readTelling(flags.cluster);
  const cluster = new ClusterHistory();
  for (const object of manifests.objects) cluster.receive({ type: 'put', object, atUs: 0 });
  cluster.receive({ type: 'synced', atUs: 0 });
  const git = flags.declared === undefined ? undefined : await readTelling(flags.declared);
  const declared = git && policiesOf(git);
  const names = new Names(maxNamedAddresses);
  const answers = new AnsweredNames(maxNamedAddresses);
  const judging = new Judging(
    {
      join: { answerTimeoutUs: collectorDefaults.answerTimeoutUs, maxLagUs: collectorDefaults.maxLagUs, maxLive },
      verdict: { policy: options, graceUs: collectorDefaults.graceUs },
      maxFindings: collectorDefaults.maxFindings,
    },
    cluster,
    new Identities(cluster, zonesOf({}), [], nobodyWatched, names),
    nobodyWatched,
    declared,
  );

  const books = new Books();
  const faults: Problem[] = [];
  let untilUs = 0;
  let read = 0;
  const bar = await progressBar(files);
  for (const file of files) {
    const before = read;
    faults.push(
      ...(await replayFile(file, books, {
        maxConnections: maxLive,
        names: answers,
        onProgress: (bytes) => {
          read = before + bytes;
          bar?.update(read);
        },
        onRecords: (records, until) => {
          untilUs = Math.max(untilUs, until);
          names.learn(answers.drain(Number.POSITIVE_INFINITY), 0);
          judging.receive({ node: '', clockOffsetUs: 0, records }, untilUs);
          judging.tick(untilUs);
          // Only findings are shown: connections need not be held.
          judging.changes();
        },
      })),
    );
  }
  bar?.stop();
  judging.finish(untilUs);

  const findings = judging.findings().sort(graverFirst).map(findingJson);
  process.stdout.write(shown(findings, flags.output, findingShape, screenOf(process.stdout, 'auto', process.env)));
  complain(faults);
  process.stderr.write(`${summary(books, judging)}\n`);
  const { failOn } = flags;
  const unread = manifests.unread.length + (git?.unread.length ?? 0);
  if (faults.length > 0 || unread > 0) process.exitCode = 2;
  else if (failOn !== undefined && findings.some((one) => isAtLeast(one.severity, failOn))) process.exitCode = 1;
}

async function readTelling(path: string): Promise<Manifests> {
  const manifests = await readManifests(path);
  complain(manifests.problems);
  return manifests;
}

function policiesOf({ objects }: Manifests): PolicyHistory {
  const history = new PolicyHistory();
  for (const policy of objects.filter(isPolicy)) history.put(policy, 0);
  history.synced();
  return history;
}

/** No agent watched the network of a file: what was not seen may have been there. */
const nobodyWatched = {
  nodeOf: () => undefined,
  interfaceOf: () => undefined,
  interfaceAt: () => undefined,
  reporting: () => undefined,
};

function complain(problems: readonly Problem[]): void {
  for (const problem of problems) process.stderr.write(`${problemLine(problem)}\n`);
}

async function progressBar(files: readonly string[]): Promise<SingleBar | undefined> {
  if (!process.stderr.isTTY) return undefined;
  let bytes = 0;
  for (const file of files)
    bytes += await stat(file).then(
      (stats) => stats.size,
      () => 0,
    );
  const bar = new SingleBar({ format: 'replay [{bar}] {percentage} %, {eta_formatted} left', stream: process.stderr });
  bar.start(bytes, 0);
  return bar;
}

function graverFirst(a: { severity: Severity; firstSeenUs: number }, b: typeof a): number {
  return severities.indexOf(b.severity) - severities.indexOf(a.severity) || a.firstSeenUs - b.firstSeenUs;
}

function summary(books: Books, judging: Judging): string {
  const { seen, setAside, lost } = books.snapshot();
  const verdicts = Object.entries(judging.counts.verdicts).map(([verdict, count]) => `${verdict} ${count}`);
  const aside = [...Object.entries(setAside), ...Object.entries(lost)].map(([reason, count]) => `${reason} ${count}`);
  return (
    `${seen} packets${aside.length > 0 ? ` (not in connections: ${aside.join(', ')})` : ''}; ` +
    `connections: ${verdicts.join(', ') || 'none'}`
  );
}
