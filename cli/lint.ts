// `waybill lint`: mistakes in the policies of a folder of manifests; no traffic is needed.
import type { Writable } from 'node:stream';
import { Command } from 'commander';
import { type Paths, readSources } from '../cluster/manifests/read.ts';
import type { LintRule } from '../lint/complaint.ts';
import { DeclaredObjects } from '../lint/declared-objects.ts';
import { lint } from '../lint/lint.ts';
import { lintRules } from '../lint/rules.ts';
import { type Severity, severities } from '../model/finding.ts';
import { ProblemError, problemLine } from '../model/problem.ts';
import { badFlag } from './errors.ts';
import { failOnOption, isAtLeast } from './findings.ts';
import { outputOption, repeatableOption } from './list-command.ts';
import { checkStdinOnce, clusterOption } from './manifest-paths.ts';
import { type ComplaintJson, complaintFormatter, complaintJson, namespaceOf } from './output/complaints.ts';
import { formatItems, type Output } from './output/format.ts';
import { ignoredKindsText, notEvaluatedText } from './output/ignored-kinds.ts';
import { print, printLine } from './output/print.ts';
import { type ColorMode, colorOption, screenOf } from './output/screen.ts';

export type LintFlags = {
  cluster: Paths;
  namespace?: readonly string[];
  rule?: readonly string[];
  skip?: readonly string[];
  failOn?: Severity | 'any';
  output: Output;
  color: ColorMode;
};

export type LintStreams = { stdout: Writable & { isTTY?: boolean; columns?: number }; stderr: Writable };

/** Sets the exit code after a result; a failure is thrown as a ProblemError. */
export function lintCommand(streams: LintStreams = process): Command {
  return new Command('lint')
    .description('List mistakes in the policies of a folder of manifests')
    .addOption(clusterOption())
    .addOption(repeatableOption('-n, --namespace <name>', 'Show only complaints about this namespace'))
    .addOption(repeatableOption('--rule <name>', 'Apply only this rule'))
    .addOption(repeatableOption('--skip <name>', 'Skip this rule'))
    .addOption(failOnOption('complaint'))
    .addOption(outputOption())
    .addOption(colorOption())
    .addHelpText(
      'after',
      `\nRules (docs/lint.md explains them):\n${lintRules.map(({ name }) => `  ${name}`).join('\n')}`,
    )
    .action(async (flags: LintFlags) => {
      process.exitCode = await runLint(flags, streams);
    });
}

/** Exit code: 2 if an input was unreadable, else 1 if a shown complaint meets `--fail-on`. */
export async function runLint(flags: LintFlags, { stdout, stderr }: LintStreams): Promise<0 | 1 | 2> {
  const rules = chosenRules(flags);
  checkStdinOnce(flags.cluster);
  const { objects, problems, unread, otherKinds, customResources, sources } = await readSources(flags.cluster);
  const declared = new DeclaredObjects(objects, (object) => sources.get(object), customResources);
  // Problems of policies become complaints.
  const policyProblems = new Set(declared.policies.flatMap(({ broken }) => broken ?? []));
  for (const problem of problems) if (!policyProblems.has(problem)) printLine(stderr, problemLine(problem));

  const complaints = lint(declared, rules)
    .filter(({ object }) => flags.namespace === undefined || flags.namespace.includes(namespaceOf(object)))
    .map((complaint) => {
      const source = sources.get(complaint.object);
      return complaintJson(complaint, source && ((path) => source.locate(path)));
    });
  // Without its detail, a complaint does not say what is wrong.
  const output = flags.output === 'table' ? 'wide' : flags.output;
  const screen = screenOf(stdout, flags.color, process.env);
  print(stdout, formatItems(complaints, output, complaintFormatter, screen), screen);
  const summaryParts = [
    summary(complaints),
    `${declared.policies.length} ${declared.policies.length === 1 ? 'policy' : 'policies'} read`,
    notEvaluatedText(declared.recognised) ?? [],
    ignoredKindsText(otherKinds) ?? [],
  ];
  printLine(stderr, summaryParts.flat().join(', '));
  if (unread.length > 0) return 2;
  const { failOn } = flags;
  return failOn !== undefined && complaints.some(({ severity }) => isAtLeast(severity, failOn)) ? 1 : 0;
}

function chosenRules({ rule, skip = [] }: LintFlags): readonly LintRule[] {
  const names = lintRules.map(({ name }) => name);
  for (const [flag, ruleNames] of [['--rule', rule ?? []] as const, ['--skip', skip] as const]) {
    const unknown = ruleNames.find((name) => !names.includes(name));
    if (unknown === undefined) continue;
    throw new ProblemError(
      badFlag(`${flag} ${unknown}`, `unknown rule ${JSON.stringify(unknown)}`, `use ${names.join(', ')}`),
    );
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
