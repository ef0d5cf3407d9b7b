// `waybill flows`: connections as they were seen and judged, from a running collector.
import type { Command } from 'commander';
import { verdictNames } from '../collector/api/parameters.ts';
import type { ConnectionJson } from '../model/json.ts';
import { anyOfOption, type ListFlags, listCommand } from './list-command.ts';
import { connectionKind } from './output/items.ts';
import { connectionShape } from './output/shapes.ts';

export function flowsCommand(): Command {
  const listed = {
    name: 'flows' as const,
    description: 'connections as they were seen and judged, from a running collector',
    kind: connectionKind,
    shape: connectionShape,
  };
  return listCommand<ConnectionJson, ListFlags>(listed, () => undefined).addOption(
    anyOfOption('--verdict <verdict>', verdictNames.join(', ')),
  );
}
