// `waybill status`: nodes, lag, losses and what waits, from a running collector.
import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import type { NodeStatus, Status } from '../collector/api/api.ts';
import { addClientFlags, type ClientFlags, CollectorClient } from './collector-client.ts';
import { tableText } from './output/table.ts';

const outputs = ['table', 'json', 'yaml'] as const;
type Flags = ClientFlags & { output: (typeof outputs)[number] };

export function statusCommand(): Command {
  const command = new Command('status')
    .description('nodes, lag, losses and what waits, from a running collector')
    .addOption(new Option('-o, --output <format>', 'how to show it').choices(outputs).default('table'));
  return addClientFlags(command).action(async (flags: Flags) => {
    const status = (await new CollectorClient(flags).get('/v1/status', new URLSearchParams())) as Status;
    process.stdout.write(shown(status, flags.output));
  });
}

function shown(status: Status, output: Flags['output']): string {
  if (output === 'json') return `${JSON.stringify(status, null, 2)}\n`;
  return output === 'yaml' ? stringify(status) : statusText(status);
}

export function statusText(status: Status): string {
  const { cluster, nodes, join, store, series } = status;
  const verdicts = Object.entries(status.verdicts).map(([verdict, connections]) => `${verdict} ${connections}`);
  const lines = [
    `collector ${status.version}, started ${status.started}`,
    `cluster   ${cluster.synced ? 'known' : 'not known yet: every verdict is unknown'}`,
    ...cluster.problems.map((problem) => `          ${problem}`),
    `nodes     ${nodes.reporting} of ${nodes.of} report`,
    `join      ${join.live} live, ${join.pending} waiting, ${join.evicted} put out for want of room`,
    `verdicts  ${verdicts.join(', ') || 'none so far'}`,
    `store     ${store.connections} connections, ${store.findings} findings, ${store.records} records, ${store.packets} packets, ${mebibytes(store.bytesOnDisk)} MiB`,
    ...(series === null ? [] : [`series    ${series.points} points written, ${series.dropped} dropped`]),
  ];
  if (nodes.list.length === 0) return `${lines.join('\n')}\n`;
  return `${lines.join('\n')}\n\n${tableText(nodes.list.map(nodeRow), Number.POSITIVE_INFINITY)}`;
}

function nodeRow(node: NodeStatus): Record<string, string> {
  const lost = Object.entries(node.books?.lost ?? {}).map(([reason, packets]) => `${reason} ${packets}`);
  return {
    node: node.node,
    agent: node.agent,
    source: node.source ?? '',
    interfaces: String(node.interfaces ?? ''),
    'lag ms': String(node.lagMs ?? ''),
    'clock ms': String(node.clockOffsetMs ?? ''),
    records: String(node.recordsReceived ?? ''),
    packets: String(node.books?.seen ?? ''),
    lost: lost.join(', ') || (node.books === undefined ? '' : 'none'),
  };
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
