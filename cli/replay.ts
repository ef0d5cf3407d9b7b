// `waybill replay`: evaluates capture files against manifests, for forensics and CI.
import { stat } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import { Command, Option } from 'commander';
import { PacketAccounting } from '../accounting/accounting.ts';
import type { LossReason } from '../accounting/reasons.ts';
import { DnsAnswers as AnsweredNames } from '../agent/capture/dns-answers.ts';
import { clockSet, connectionsEvicted, filesOutOfOrder, packetsLost } from '../agent/capture/errors.ts';
import { DnsClients } from '../agent/capture/pcap/dns-clients.ts';
import { replayFiles } from '../agent/capture/pcap/replay.ts';
import { type Manifests, type Paths, readManifests } from '../cluster/manifests/read.ts';
import { ClusterHistory } from '../collector/identity/cluster-history.ts';
import { clientKey, DnsNames } from '../collector/identity/dns-names.ts';
import { Identities } from '../collector/identity/identity.ts';
import { NearAddresses } from '../collector/identity/near-address.ts';
import { PolicyHistory } from '../collector/identity/policy-history.ts';
import { zoneFinder } from '../collector/identity/zones.ts';
import { Pipeline } from '../collector/pipeline.ts';
import { prefixes } from '../config/prefixes.ts';
import { integer } from '../config/setting.ts';
import { type Severity, severities } from '../model/finding.ts';
import { findingJson } from '../model/json.ts';
import { isAnyPolicy } from '../model/kubernetes.ts';
import { type Problem, ProblemError, problemLine } from '../model/problem.ts';
import { stdinPath } from '../model/stdin.ts';
import { parsePolicyOptions } from '../policy/options.ts';
import { badFlag } from './errors.ts';
import { failOnOption, isAtLeast } from './findings.ts';
import { checkStdinOnce, clusterOption, pathsOption } from './manifest-paths.ts';
import { formatItems, type Output, outputs } from './output/format.ts';
import { findingFormatter } from './output/item-formatters.ts';
import { print, printLine } from './output/print.ts';
import { screenOf } from './output/screen.ts';
import { appendValue, policyOptionHelp } from './verdict.ts';

type ReplayFlags = {
  cluster: Paths;
  declared?: Paths;
  option?: string[];
  failOn?: Severity;
  output: Output;
  maxConnections: string;
  allowLoss?: boolean;
  dnsServers?: string;
};

const pipelineSettings = { answerTimeoutUs: 1_000_000, maxLagUs: 0, graceUs: 0, maxFindings: Number.POSITIVE_INFINITY };

/** The table has up to an eighth more rows, and some connections ended a short time ago. */
const liveFactor = 1.25;
const maxNamedAddresses = 100_000;
const maxDnsClients = 20_000;

const dnsServersSetting = prefixes({
  help: 'DNS servers to trust besides the DNS Service of the cluster, as CIDRs with commas between them',
});

const maxConnectionsSetting = integer({
  default: 1_000_000,
  min: 1,
  max: 10_000_000,
  help: 'Track at most this many live connections',
});

export function replayCommand(): Command {
  return new Command('replay')
    .description('Evaluate capture files (pcap, pcapng) against manifests, and list the findings')
    .argument('<file...>', 'Capture files, oldest first; also compressed (gzip, zstd); - for stdin')
    .addOption(clusterOption())
    .addOption(
      pathsOption(
        '--declared <path>',
        'File or folder of declared policies (Git); report differences from --cluster as drift (repeatable)',
      ),
    )
    .option('--option <name=value>', policyOptionHelp(), appendValue)
    .option('--max-connections <number>', maxConnectionsSetting.help, maxConnectionsSetting.defaultText)
    .option('--allow-loss', 'Succeed (exit code 0 or 1) although packets of the capture are in no connection')
    .option('--dns-servers <cidrs>', dnsServersSetting.help)
    .addOption(new Option('-o, --output <format>', 'Output format').choices(outputs).default('table'))
    .addOption(failOnOption('finding'))
    .action(async (files: string[], flags: ReplayFlags) => {
      await runReplay(files, flags);
    });
}

async function runReplay(files: readonly string[], flags: ReplayFlags): Promise<void> {
  const { options, problems } = parsePolicyOptions(flags.option ?? []);
  if (problems.length > 0) throw new ProblemError(...problems);
  checkStdinOnce(files, flags.cluster, flags.declared ?? []);
  const parsedMaxConnections = maxConnectionsSetting.read(flags.maxConnections);
  if ('fault' in parsedMaxConnections)
    throw new ProblemError(badFlag('--max-connections', parsedMaxConnections.fault, parsedMaxConnections.fix));
  const maxLive = parsedMaxConnections.value;
  const parsedDnsServers = dnsServersSetting.read(flags.dnsServers ?? '');
  if ('fault' in parsedDnsServers)
    throw new ProblemError(badFlag('--dns-servers', parsedDnsServers.fault, parsedDnsServers.fix));
  const dnsServers = parsedDnsServers.value;
  const manifests = await readManifestsAndReport(flags.cluster);
  const cluster = new ClusterHistory(dnsServers);
  for (const object of manifests.objects) cluster.receive({ type: 'put', object, atUs: 0 });
  cluster.receive({ type: 'synced', atUs: 0 });
  const declaredManifests = flags.declared === undefined ? undefined : await readManifestsAndReport(flags.declared);
  const declared = declaredManifests && policiesOf(declaredManifests);
  const names = new DnsNames(maxNamedAddresses, cluster.dnsServers, cluster);
  const dnsAnswers = new AnsweredNames(maxNamedAddresses);
  const clients = new DnsClients(maxDnsClients);
  const nameSource = { keyOf: (number: number) => clientKey(clients.addressOf(number)!), podUidOf: () => '' };
  const pipeline = new Pipeline(
    {
      join: {
        answerTimeoutUs: pipelineSettings.answerTimeoutUs,
        maxLagUs: pipelineSettings.maxLagUs,
        maxWaitUs: pipelineSettings.maxLagUs,
        // More than the table has, so that it is the table's limit that counts.
        maxLive: Math.ceil(maxLive * liveFactor),
        keepsIdle: true,
      },
      verdict: { policy: options, graceUs: pipelineSettings.graceUs },
      maxFindings: pipelineSettings.maxFindings,
    },
    cluster,
    new Identities(cluster, zoneFinder({}), [], noInterfaces),
    noInterfaces,
    new NearAddresses(cluster, noInterfaces, { prefixes: {}, annotatedNamespaces: [] }),
    names,
    declared,
  );

  const accounting = new PacketAccounting();
  let lastUs = 0;
  const bar = await progressBar(files);
  const {
    problems: fileProblems,
    clock,
    outOfOrder,
  } = await replayFiles(files, accounting, {
    maxConnections: maxLive,
    dnsSink: dnsAnswers,
    clients,
    onProgress: (bytes) => bar?.update(bytes),
    onRecords: (records, untilUs, clockOffsetUs) => {
      lastUs = untilUs;
      names.learn(dnsAnswers.drain(Number.POSITIVE_INFINITY, untilUs), nameSource, clockOffsetUs);
      pipeline.receive({ node: '', clockOffsetUs: 0, records }, untilUs);
      pipeline.tick(untilUs);
      // Only findings are shown, so the changed connections are discarded.
      pipeline.changes();
    },
  });
  bar?.stop();
  pipeline.finish(lastUs);

  const findings = pipeline.findings().sort(bySeverity).map(findingJson);
  const screen = screenOf(process.stdout, 'auto', process.env);
  print(process.stdout, formatItems(findings, flags.output, findingFormatter, screen), screen);
  const losses = lossesOf(accounting);
  reportProblems([...fileProblems, ...losses, ...outOfOrder.map(filesOutOfOrder), ...cautions(clock, pipeline)]);
  printLine(process.stderr, summary(accounting, pipeline));
  const { failOn, allowLoss } = flags;
  const unread = manifests.unread.length + (declaredManifests?.unread.length ?? 0);
  // A finding may hang on what is lost.
  const faults =
    allowLoss === true
      ? fileProblems.filter(({ code }) => code !== 'capture-link-type-unknown')
      : [...fileProblems, ...losses];
  if (faults.length > 0 || unread > 0) process.exitCode = 2;
  else if (failOn !== undefined && findings.some((one) => isAtLeast(one.severity, failOn))) process.exitCode = 1;
}

async function readManifestsAndReport(paths: Paths): Promise<Manifests> {
  const manifests = await readManifests(paths);
  reportProblems(manifests.problems);
  return manifests;
}

function policiesOf({ objects }: Manifests): PolicyHistory {
  const history = new PolicyHistory();
  for (const policy of objects.filter(isAnyPolicy)) history.put(policy, 0);
  history.synced();
  return history;
}

/** No agent watched the interfaces, so packets that are not in the file may still have been there. */
const noInterfaces = {
  nodeOf: () => undefined,
  interfaceOf: () => undefined,
  interfaceAt: () => undefined,
  hasPendingClaim: () => false,
  judgePod: () => 'proven' as const,
  reportingAgent: () => undefined,
  coveredUntilUs: () => undefined,
  allCoveredUntilUs: () => Number.POSITIVE_INFINITY,
  coverageGaps: () => ({ revision: 0, nodes: [] }),
};

/** Packets of a link type that is not supported have a line for each file already. */
function lossesOf(accounting: PacketAccounting): Problem[] {
  const { lost, seen } = accounting.snapshot();
  const reasons = (Object.keys(lost) as LossReason[]).filter((reason) => reason !== 'unknown-link-type');
  return reasons.map((reason) => packetsLost(reason, lost[reason] ?? 0, seen));
}

/** Problems that cannot hide a finding. */
function cautions({ setBack, outliers }: { setBack: number; outliers: number }, { counts }: Pipeline): Problem[] {
  return [
    ...(setBack + outliers > 0 ? [clockSet(setBack, outliers)] : []),
    ...(counts.evicted > 0 ? [connectionsEvicted(counts.evicted)] : []),
  ];
}

function reportProblems(problems: readonly Problem[]): void {
  for (const problem of problems) printLine(process.stderr, problemLine(problem));
}

async function progressBar(files: readonly string[]): Promise<SingleBar | undefined> {
  if (!process.stderr.isTTY || files.includes(stdinPath)) return undefined;
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

function bySeverity(a: { severity: Severity; firstSeenUs: number }, b: typeof a): number {
  return severities.indexOf(b.severity) - severities.indexOf(a.severity) || a.firstSeenUs - b.firstSeenUs;
}

function summary(accounting: PacketAccounting, pipeline: Pipeline): string {
  const { seen, ignored, lost } = accounting.snapshot();
  const verdicts = Object.entries(pipeline.counts.verdicts).map(([verdict, count]) => `${verdict} ${count}`);
  const notInConnections = [...Object.entries(ignored), ...Object.entries(lost)].map(
    ([reason, count]) => `${reason} ${count}`,
  );
  return (
    `${seen} packets${notInConnections.length > 0 ? ` (not in connections: ${notInConnections.join(', ')})` : ''}; ` +
    `connections: ${verdicts.join(', ') || 'none'}`
  );
}
