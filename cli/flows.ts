// `waybill flows`: connections as they were seen and judged, from a running collector.
import { type Command, Option } from 'commander';
import { verdictNames } from '../collector/api/parameters.ts';
import type { ConnectionJson } from '../model/json.ts';
import { type ListFlags, listCommand } from './list-command.ts';
import { connectionShape } from './output/shapes.ts';

type Flags = ListFlags & { verdict?: string[] };

export function flowsCommand(): Command {
  return listCommand<ConnectionJson, Flags>(
    'flows',
    'connections as they were seen and judged, from a running collector',
    '/v1/flows',
    connectionShape,
    ({ verdict }) => ({ verdict }),
    () => undefined,
  ).addOption(new Option('--verdict <verdict...>', 'verdicts (several: either)').choices(verdictNames));
}
