// `waybill findings`: what is held against the network, from a running collector.
import { type Command, Option } from 'commander';
import { findingKinds, verdictNames } from '../collector/api/parameters.ts';
import { type Severity, severities } from '../model/finding.ts';
import type { FindingJson } from '../model/json.ts';
import { type ListFlags, listCommand } from './list-command.ts';
import { findingShape } from './output/shapes.ts';

type Flags = ListFlags & { kind?: string[]; severity?: string[]; verdict?: string[]; failOn?: Severity };

export function findingsCommand(): Command {
  return listCommand<FindingJson, Flags>(
    'findings',
    'what is held against the network, from a running collector',
    '/v1/findings',
    findingShape,
    ({ kind, severity, verdict }) => ({ kind, severity, verdict }),
    (finding, { failOn }) => {
      if (failOn !== undefined && isAtLeast(finding.severity, failOn)) process.exitCode = 1;
    },
  )
    .addOption(new Option('--kind <kind...>', 'kinds of findings (several: either)').choices(findingKinds))
    .addOption(new Option('--severity <severity...>', 'severities (several: either)').choices(severities))
    .addOption(new Option('--verdict <verdict...>', 'verdicts (several: either)').choices(verdictNames))
    .addOption(failOnOption());
}

export function failOnOption(): Option {
  return new Option('--fail-on <severity>', 'exit code 1 where a finding is at least so severe').choices(severities);
}

export function isAtLeast(severity: string, limit: Severity): boolean {
  return severities.indexOf(severity as Severity) >= severities.indexOf(limit);
}
