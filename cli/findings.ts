// `waybill findings`: what is held against the network, from a running collector.
import { type Command, Option } from 'commander';
import { findingKinds, verdictNames } from '../collector/api/parameters.ts';
import { type Severity, severities } from '../model/finding.ts';
import type { FindingJson } from '../model/json.ts';
import { type ListFlags, listCommand, repeatableOption } from './list-command.ts';
import { findingFormatter } from './output/item-formatters.ts';
import { findingReader } from './output/item-readers.ts';

/** `any` is whatever is shown. */
export type FailOn = Severity | 'any';

type FindingsFlags = ListFlags & { failOn?: FailOn };

export function findingsCommand(): Command {
  const spec = {
    name: 'findings' as const,
    description: 'what is held against the network, from a running collector',
    reader: findingReader,
    formatter: findingFormatter,
  };
  return listCommand<FindingJson, FindingsFlags>(spec, (finding, { failOn }) => {
    if (failOn !== undefined && isAtLeast(finding.severity, failOn)) process.exitCode = 1;
  })
    .addOption(repeatableOption('--kind <kind>', findingKinds.join(', ')))
    .addOption(repeatableOption('--severity <severity>', severities.join(', ')))
    .addOption(repeatableOption('--verdict <verdict>', verdictNames.join(', ')))
    .addOption(failOnOption());
}

export function failOnOption(): Option {
  return new Option('--fail-on <severity>', 'exit code 1 where a finding that is shown is at least so severe')
    .env('WAYBILL_FAIL_ON')
    .choices(['any', ...severities]);
}

export function isAtLeast(severity: string, limit: FailOn): boolean {
  return limit === 'any' || severities.indexOf(severity as Severity) >= severities.indexOf(limit);
}
