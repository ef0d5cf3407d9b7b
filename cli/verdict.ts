// `waybill verdict`: whether the policies of a folder of manifests allow a connection, or many (--batch).
import type { Readable, Writable } from 'node:stream';
import { Command, Option } from 'commander';
import { type Paths, readManifests } from '../cluster/manifests/read.ts';
import { escapeControls } from '../model/escape.ts';
import { ProblemError, problemLine } from '../model/problem.ts';
import { protocolName } from '../model/protocol.ts';
import type { Verdict } from '../model/verdict.ts';
import { verdictJson } from '../policy/explain.ts';
import { parsePolicyOptions, policyOptionValues } from '../policy/options.ts';
import { badFlag } from './errors.ts';
import { checkStdinOnce, clusterOption, includesStdin } from './manifest-paths.ts';
import { unreadPoliciesText } from './output/ignored-kinds.ts';
import { jsonText } from './output/json.ts';
import { print, printLine } from './output/print.ts';
import { yamlText } from './output/yaml.ts';
import { evaluateBatch } from './verdict-batch.ts';
import { problemAt } from './verdict-errors.ts';
import { PartyResolver } from './verdict-parties.ts';
import { evaluateQuestion, readQuestion, type VerdictQuestion } from './verdict-question.ts';

export type VerdictFlags = {
  cluster: Paths;
  batch?: true;
  from?: string;
  to?: string;
  port?: string;
  protocol?: string;
  option?: readonly string[];
  output: (typeof outputs)[number];
};

export type VerdictStreams = { stdin: Readable; stdout: Writable; stderr: Writable };

const outputs = ['table', 'json', 'jsonl', 'yaml'] as const;

/** Sets the exit code after a result; a failure is thrown as a ProblemError. */
export function verdictCommand(streams: VerdictStreams = process): Command {
  return new Command('verdict')
    .description('Show whether policies allow a connection, and why')
    .addOption(clusterOption())
    .option('--from <endpoint>', 'Initiator (client): NAMESPACE/NAME, NAMESPACE/KIND/NAME or an IP address')
    .option('--to <endpoint>', 'Responder (server): as --from, or NAMESPACE/Service/NAME')
    .option('--port <port>', 'Port of the responder: a number or a port name')
    .option('--protocol <protocol>', 'TCP, UDP, SCTP, ICMP, ICMPv6 or an IP protocol number (default: TCP)')
    .option(
      '--batch',
      'Read questions as JSON lines from stdin, not from --from and --to; write verdicts as JSON lines',
    )
    .option('--option <name=value>', policyOptionHelp(), appendValue)
    .addOption(new Option('-o, --output <format>', 'Output format').choices(outputs).default('table'))
    .action(async (flags: VerdictFlags) => {
      process.exitCode = await runVerdict(flags, streams);
    });
}

/** Exit code: 2 if a manifest was unreadable, else 1 if a line of the batch was invalid. */
export async function runVerdict(flags: VerdictFlags, { stdin, stdout, stderr }: VerdictStreams): Promise<0 | 1 | 2> {
  const { options, problems } = parsePolicyOptions(flags.option ?? []);
  if (problems.length > 0) throw new ProblemError(...problems);
  const parsed = flags.batch ? undefined : readQuestion(flags);
  if (parsed !== undefined && 'fault' in parsed) throw new ProblemError(problemAt('the question', parsed.fault));
  if (flags.batch && includesStdin(flags.cluster)) {
    const fix = 'give the manifests as a file or a folder';
    throw new ProblemError(badFlag('--cluster -', '--batch reads its questions from stdin', fix));
  }
  checkStdinOnce(flags.cluster);
  const manifests = await readManifests(flags.cluster);
  for (const problem of manifests.problems) printLine(stderr, problemLine(problem));
  const unreadPolicies = unreadPoliciesText(manifests.otherKinds);
  if (unreadPolicies !== undefined) printLine(stderr, unreadPolicies);
  const exitCode = manifests.unread.length > 0 ? 2 : 0;
  if (parsed === undefined) {
    const failedLines = await evaluateBatch(stdin, stdout, manifests.objects, options);
    return exitCode === 0 && failedLines > 0 ? 1 : exitCode;
  }
  const result = evaluateQuestion(parsed.question, new PartyResolver(manifests.objects), options);
  if ('fault' in result) throw new ProblemError(problemAt('the question', result.fault));
  print(stdout, formatVerdict(parsed.question, result.verdict, flags.output));
  return exitCode;
}

function formatVerdict(question: VerdictQuestion, verdict: Verdict, output: VerdictFlags['output']): string {
  const { from, to, port } = question;
  const protocol = protocolName(question.protocol);
  const json = { from, to, ...(port !== undefined && { port }), protocol, ...verdictJson(verdict) };
  switch (output) {
    case 'table':
      return tableText(json);
    case 'json':
      return `${jsonText(json, 2)}\n`;
    case 'jsonl':
      return `${jsonText(json)}\n`;
    case 'yaml':
      return yamlText(json);
  }
}

type VerdictOutput = ReturnType<typeof verdictJson> & {
  from: string;
  to: string;
  port?: number | string;
  protocol: string;
};

function tableText({
  from,
  to,
  port,
  protocol,
  verdict,
  reason,
  undefinedByApi,
  afterNetwork,
  sides,
}: VerdictOutput): string {
  const protocolText = port === undefined ? protocol : `${protocol} ${port}`;
  const lines = [`${from} -> ${to} ${protocolText}: ${verdict}${reason === undefined ? '' : ` (${reason})`}`];
  for (const { side, verdict: sideVerdict, why, needs } of sides) {
    lines.push(`  ${side.padEnd(7)}  ${sideVerdict.padEnd(10)}  ${why}`);
    if (needs !== undefined) lines.push(`  ${' '.repeat(19)}  ${needs}`);
  }
  if (sides.length === 0 && reason === undefined)
    lines.push('  no policy can select either end, because neither is a pod');
  if (undefinedByApi) lines.push(`  the NetworkPolicy API does not define ${protocol}: CNIs differ`);
  if (afterNetwork !== undefined)
    lines.push(`  after the network delivered it, this may still refuse it: ${afterNetwork.join(', ')}`);
  return `${lines.map(escapeControls).join('\n')}\n`;
}

export function policyOptionHelp(): string {
  const options = Object.entries(policyOptionValues).map(([name, values]) => `${name}=${values.join('|')}`);
  return `Set a behaviour that the NetworkPolicy API does not define: ${options.join(', ')} (the first is the default; repeatable)`;
}

export function appendValue(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}
