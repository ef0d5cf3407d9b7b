// `waybill lint`: what is wrong with the policies in a folder of manifests, before any packet is sent.
import type { Writable } from 'node:stream';
import { Command, Option } from 'commander';
import { readSources } from '../cluster/manifests/read.ts';
import type { LintRule } from '../lint/complaint.ts';
import { DeclaredObjects } from '../lint/declared-objects.ts';
import { lint } from '../lint/lint.ts';
import { lintRules } from '../lint/rules.ts';
import { type Severity, severities } from '../model/finding.ts';
import { isPolicy } from '../model/kubernetes.ts';
import { ProblemError, problemLine } from '../model/problem.ts';
import { badFlag } from './errors.ts';
import { isAtLeast } from './findings.ts';
import { outputOption, repeatableOption } from './list-command.ts';
import { type ComplaintJson, complaintFormatter, complaintJson, namespaceOf } from './output/complaints.ts';
import { formatItems, type Output } from './output/format.ts';
import { ignoredKindsText } from './output/ignored-kinds.ts';
import { type ColorMode, colorOption, screenOf } from './output/screen.ts';

export type LintFlags = {
  cluster: string;
  namespace?: readonly string[];
  rule?: readonly string[];
  skip?: readonly string[];
  failOn?: Severity | 'any';
  output: Output;
  color: ColorMode;
};

export type LintStreams = { stdout: Writable & { isTTY?: boolean; columns?: number }; stderr: Writable };

/** The exit code is set when it is done; what could not be done is thrown as a ProblemError. */
export function lintCommand(streams: LintStreams = process): Command {
  return new Command('lint')
    .description('what is wrong with the policies in a folder of manifests, before any packet is sent')
    .requiredOption('--cluster <path>', 'file or folder of manifests, read recursively; - is stdin')
    .addOption(repeatableOption('-n, --namespace <name>', 'only of that namespace'))
    .addOption(repeatableOption('--rule <name>', 'only by that rule'))
    .addOption(repeatableOption('--skip <name>', 'not by that rule'))
    .addOption(failOnOption())
    .addOption(outputOption())
    .addOption(colorOption())
    .addHelpText('after', `\nRules (docs/lint.md): ${lintRules.map(({ name }) => name).join(', ')}`)
    .action(async (flags: LintFlags) => {
      process.exitCode = await runLint(flags, streams);
    });
}

/** Exit code: 2 where something could not be read, else 1 where a complaint that is shown is what `--fail-on` asks. */
export async function runLint(flags: LintFlags, { stdout, stderr }: LintStreams): Promise<0 | 1 | 2> {
  const rules = chosenRules(flags);
  const { objects, problems, unread, otherKinds, sources } = await readSources(flags.cluster);
  // Those of broken policies are complaints of their own.
  const policyProblems = new Set(objects.filter(isPolicy).flatMap(({ broken }) => broken ?? []));
  for (const problem of problems) if (!policyProblems.has(problem)) stderr.write(`${problemLine(problem)}\n`);

  const declared = new DeclaredObjects(objects, (object) => sources.get(object));
  const complaints = lint(declared, rules)
    .filter(({ object }) => flags.namespace === undefined || flags.namespace.includes(namespaceOf(object)))
    .map((complaint) => {
      const source = sources.get(complaint.object);
      return complaintJson(complaint, source && ((path) => source.locate(path)));
    });
  // What is wrong is what people came for: the table says it too.
  const output = flags.output === 'table' ? 'wide' : flags.output;
  stdout.write(formatItems(complaints, output, complaintFormatter, screenOf(stdout, flags.color, process.env)));
  const summaryParts = [
    summary(complaints),
    `${declared.policies.length} policies read`,
    ignoredKindsText(otherKinds) ?? [],
  ];
  stderr.write(`${summaryParts.flat().join(', ')}\n`);
  if (unread.length > 0) return 2;
  const { failOn } = flags;
  return failOn !== undefined && complaints.some(({ severity }) => isAtLeast(severity, failOn)) ? 1 : 0;
}

function failOnOption(): Option {
  return new Option('--fail-on <severity>', 'exit code 1 where a complaint that is shown is at least so severe')
    .env('WAYBILL_FAIL_ON')
    .choices(['any', ...severities]);
}

function chosenRules({ rule, skip = [] }: LintFlags): readonly LintRule[] {
  const names = lintRules.map(({ name }) => name);
  for (const [flag, ruleNames] of [['--rule', rule ?? []] as const, ['--skip', skip] as const]) {
    const unknown = ruleNames.find((name) => !names.includes(name));
    if (unknown === undefined) continue;
    throw new ProblemError(badFlag(`${flag} ${unknown}`, 'there is no such rule', `give one of ${names.join(', ')}`));
  }
  return lintRules.filter(({ name }) => (rule === undefined || rule.includes(name)) && !skip.includes(name));
}

function summary(complaints: readonly ComplaintJson[]): string {
  if (complaints.length === 0) return '0 complaints';
  const counts = severities.toReversed().flatMap((severity) => {
    const count = complaints.filter((one) => one.severity === severity).length;
    return count === 0 ? [] : [`${severity} ${count}`];
  });
  return `${complaints.length} ${complaints.length === 1 ? 'complaint' : 'complaints'} (${counts.join(', ')})`;
}
