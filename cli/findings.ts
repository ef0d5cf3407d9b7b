// `waybill findings`: policy violations and enforcement gaps, from a running collector.
import { type Command, Option } from 'commander';
import { type Severity, severities } from '../model/finding.ts';
import { findingKinds } from '../model/finding-kind.ts';
import type { FindingJson } from '../model/json.ts';
import { type ListFlags, listCommand, repeatableOption, verdictFilter } from './list-command.ts';
import { findingFormatter } from './output/item-formatters.ts';
import { findingReader } from './output/item-readers.ts';

/** `any`: a finding of any severity. */
export type FailOn = Severity | 'any';

type FindingsFlags = ListFlags & { failOn?: FailOn };

export function findingsCommand(): Command {
  const spec = {
    name: 'findings' as const,
    description: 'List policy violations and enforcement gaps',
    reader: findingReader,
    formatter: findingFormatter,
    filters: [
      repeatableOption('--kind <kind>', `Show only this kind: ${findingKinds.join(', ')}`),
      repeatableOption('--severity <severity>', `Show only this severity: ${severities.join(', ')}`),
      verdictFilter(),
    ],
  };
  return listCommand<FindingJson, FindingsFlags>(spec, (finding, { failOn }) => {
    if (failOn !== undefined && isAtLeast(finding.severity, failOn)) process.exitCode = 1;
  }).addOption(failOnOption('finding'));
}

export function failOnOption(item: 'finding' | 'complaint'): Option {
  return new Option('--fail-on <severity>', `Exit with code 1 if a shown ${item} has at least this severity`)
    .env('WAYBILL_FAIL_ON')
    .choices(['any', ...severities]);
}

export function isAtLeast(severity: string, limit: FailOn): boolean {
  return limit === 'any' || severities.indexOf(severity as Severity) >= severities.indexOf(limit);
}
