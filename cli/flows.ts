// `waybill flows`: observed connections with their verdicts, from a running collector.
import type { Command } from 'commander';
import type { ConnectionJson } from '../model/json.ts';
import { type ListFlags, listCommand, verdictFilter } from './list-command.ts';
import { connectionFormatter } from './output/item-formatters.ts';
import { connectionReader } from './output/item-readers.ts';

export function flowsCommand(): Command {
  const spec = {
    name: 'flows' as const,
    description: 'List observed connections with their verdicts',
    reader: connectionReader,
    formatter: connectionFormatter,
    filters: [verdictFilter()],
  };
  return listCommand<ConnectionJson, ListFlags>(spec, () => undefined);
}
