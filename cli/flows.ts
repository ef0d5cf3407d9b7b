// `waybill flows`: connections as they were seen and judged, from a running collector.
import type { Command } from 'commander';
import { verdictNames } from '../collector/api/parameters.ts';
import type { ConnectionJson } from '../model/json.ts';
import { type ListFlags, listCommand, repeatableOption } from './list-command.ts';
import { connectionFormatter } from './output/item-formatters.ts';
import { connectionReader } from './output/item-readers.ts';

export function flowsCommand(): Command {
  const spec = {
    name: 'flows' as const,
    description: 'connections as they were seen and judged, from a running collector',
    reader: connectionReader,
    formatter: connectionFormatter,
  };
  return listCommand<ConnectionJson, ListFlags>(spec, () => undefined).addOption(
    repeatableOption('--verdict <verdict>', verdictNames.join(', ')),
  );
}
