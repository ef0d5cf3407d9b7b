// `waybill policies`: which policies select a pod, in which order they are evaluated, and what they leave open.
import type { Writable } from 'node:stream';
import { Command, Option } from 'commander';
import { type Paths, readManifests } from '../cluster/manifests/read.ts';
import { ProblemError, problemLine } from '../model/problem.ts';
import type { PodParty } from '../policy/peers.ts';
import { compilePolicies, type PolicySet, type Selection, selectionOf } from '../policy/policy-set.ts';
import { selectedPolicies } from '../policy/selected-policies.ts';
import { checkStdinOnce, clusterOption } from './manifest-paths.ts';
import { jsonText } from './output/json.ts';
import { type PodPoliciesJson, podPoliciesText } from './output/pod-policies.ts';
import { print, printLine } from './output/print.ts';
import { yamlText } from './output/yaml.ts';
import { notAPod, problemAt, type QuestionFault } from './verdict-errors.ts';
import { PartyResolver } from './verdict-parties.ts';

const outputs = ['table', 'json', 'jsonl', 'yaml'] as const;

export type PoliciesFlags = { cluster: Paths; pod: string; output: (typeof outputs)[number] };
export type PoliciesStreams = { stdout: Writable; stderr: Writable };

/** Sets the exit code after a result; a failure is thrown as a ProblemError. */
export function policiesCommand(streams: PoliciesStreams = process): Command {
  return new Command('policies')
    .description('Show which policies select a pod, in their order, and what they leave open')
    .addOption(clusterOption())
    .requiredOption('--pod <pod>', 'Pod or workload: NAMESPACE/NAME, NAMESPACE/KIND/NAME or an IP address (required)')
    .addOption(new Option('-o, --output <format>', 'Output format').choices(outputs).default('table'))
    .action(async (flags: PoliciesFlags) => {
      process.exitCode = await runPolicies(flags, streams);
    });
}

/** Exit code: 2 if a manifest was unreadable. */
export async function runPolicies(flags: PoliciesFlags, { stdout, stderr }: PoliciesStreams): Promise<0 | 2> {
  checkStdinOnce(flags.cluster);
  const { objects, problems, unread } = await readManifests(flags.cluster);
  for (const problem of problems) printLine(stderr, problemLine(problem));
  const answers = podPolicies(flags.pod, new PartyResolver(objects));
  if ('fault' in answers) throw new ProblemError(problemAt('--pod', answers));
  print(stdout, formatAnswers(answers, flags.output));
  return unread.length > 0 ? 2 : 0;
}

/** One answer, or one for each group of pods of a workload that the policies distinguish. */
function podPolicies(text: string, parties: PartyResolver): PodPoliciesJson[] | QuestionFault {
  const found = parties.resolve(text);
  if (found.kind === 'fault') return found.fault;
  if (found.kind === 'service') return notAPod(text);
  const candidates = found.kind === 'one' ? [found.candidate] : found.pods;
  const pods = candidates.flatMap(({ parties: all }) => all.filter((party): party is PodParty => party.kind === 'pod'));
  if (pods.length === 0) return text.includes('/') ? [{ pod: text, hostNetwork: true }] : notAPod(text);
  const policies = compilePolicies(parties.policies);
  const groups = groupsOf(pods, policies);
  return groups.map(({ ingress, egress, members }) => {
    const names = groups.length > 1 ? { pods: members.map(({ name }) => name).sort() } : {};
    const [first] = members as [PodParty];
    return { pod: text, ...names, ingress: selectedPolicies(ingress, first), egress: selectedPolicies(egress, first) };
  });
}

type PodGroup = { ingress: Selection; egress: Selection; members: PodParty[] };

/** Pods with the same policies in both directions. */
function groupsOf(pods: readonly PodParty[], policies: PolicySet): PodGroup[] {
  const groups: PodGroup[] = [];
  for (const pod of pods) {
    const [ingress, egress] = [selectionOf(policies, pod, 'ingress'), selectionOf(policies, pod, 'egress')];
    const group = groups.find((one) => one.ingress === ingress && one.egress === egress);
    if (group === undefined) groups.push({ ingress, egress, members: [pod] });
    else group.members.push(pod);
  }
  return groups;
}

function formatAnswers(answers: readonly PodPoliciesJson[], output: PoliciesFlags['output']): string {
  switch (output) {
    case 'table':
      return podPoliciesText(answers);
    case 'json':
      return `${jsonText(answers, 2)}\n`;
    case 'jsonl':
      return answers.map((one) => `${jsonText(one)}\n`).join('');
    case 'yaml':
      return yamlText(answers);
  }
}
