// `make attack`: attacks a cluster of the lab as one pod and one node's certificate can, while honest traffic goes on, and
// prints whether Waybill reports each attack under the attacker's name, and nothing false.
import { Command, Option } from 'commander';
import { sourceNames } from '../agent/capture/choose.ts';
import { ProblemError, problemLine } from '../model/problem.ts';
import { campaigns } from './attack/attacks.ts';
import { type AttackResult, runCampaign } from './attack/campaign.ts';
import { withLab } from './session.ts';
import { checkPrograms, rerunAsRoot } from './system/privilege.ts';

type Flags = { source: string; only?: readonly string[] };

const counts = { passed: 0, failed: 0, skipped: 0 };

async function attackAll({ source, only }: Flags): Promise<void> {
  for (const one of source === 'all' ? sourceNames : [source]) {
    if (source === 'all') say(`capture source ${one}`);
    for (const { topology, attacks } of campaigns) {
      const wanted = attacks.filter(({ name }) => only === undefined || only.some((text) => name.includes(text)));
      if (wanted.length === 0) continue;
      const file = new URL(`attack/${topology}`, import.meta.url).pathname;
      await withLab(file, one, (lab) => runCampaign(lab, wanted, one, report));
    }
  }
}

function report(result: AttackResult): void {
  counts[result.result] += 1;
  const time = result.result === 'skipped' ? `: ${result.reason}` : ` (${result.seconds.toFixed(1)} s)`;
  say(`${result.result.padEnd(8)}${result.name}${time}`);
  if (result.result === 'failed') for (const fault of result.faults) say(`        ${fault}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  checkPrograms();
  const code = await rerunAsRoot();
  if (code !== undefined) {
    process.exitCode = code;
    return;
  }
  const flags = new Command('attack')
    .description('Attack a cluster of the lab, and check what Waybill reports')
    .addOption(
      new Option('--source <source>', 'Capture source of the agents; all: one run with each')
        .choices(['auto', ...sourceNames, 'all'])
        .default('auto'),
    )
    .addOption(new Option('--only <text...>', 'Run only the attacks whose name contains one of these texts'))
    .parse()
    .opts<Flags>();
  await attackAll(flags).catch((error: unknown) => {
    counts.failed += 1;
    say(error instanceof ProblemError ? error.problems.map(problemLine).join('\n') : String(error));
  });
  say(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  if (counts.failed > 0 || counts.passed === 0) process.exitCode = 1;
}

await main();
