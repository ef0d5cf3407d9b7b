// `waybill status`: nodes, lag, lost packets and pending work, from a running collector.
import { Command, Option } from 'commander';
import { z } from 'zod';
import type { NodeGapJson, NodeStatus, ProblemTimes, StatusJson } from '../collector/api/api.ts';
import { escapeControls } from '../model/escape.ts';
import { ProblemError } from '../model/problem.ts';
import { listText } from '../policy/list-text.ts';
import { addClientFlags, type ClientFlags, CollectorClient } from './collector-client.ts';
import { unexpectedResponse } from './errors.ts';
import { jsonText } from './output/json.ts';
import { print } from './output/print.ts';
import { type ColorMode, colorOption, type Screen, screenOf } from './output/screen.ts';
import { tableText } from './output/table.ts';
import { yamlText } from './output/yaml.ts';

/** Shown at most. */
const maxGaps = 5;
const maxNamespaces = 5;
const gapReasons = {
  'agent-killed': 'the agent ended without a shutdown',
  'agent-stopped': 'the agent was stopped',
} as const satisfies Record<NodeGapJson['why'], string>;

const outputs = ['table', 'json', 'yaml'] as const;
type StatusFlags = ClientFlags & { output: (typeof outputs)[number]; color: ColorMode };

export function statusCommand(): Command {
  const command = new Command('status')
    .description('Show nodes, lag, lost packets and pending work')
    .addOption(
      new Option('-o, --output <format>', 'Output format').env('WAYBILL_OUTPUT').choices(outputs).default('table'),
    )
    .addOption(colorOption());
  return addClientFlags(command).action(async (flags: StatusFlags) => {
    const client = new CollectorClient(flags);
    const { value } = await client.get('/v1/status', new URLSearchParams());
    if (!isStatus(value)) throw new ProblemError(unexpectedResponse(client.url));
    const screen = screenOf(process.stdout, flags.color, process.env);
    print(process.stdout, formatStatus(value, flags.output, screen), screen);
  });
}

/** The fields that the table needs. */
const statusSchema = z.looseObject({
  version: z.string(),
  cluster: z.looseObject({ synced: z.boolean(), problems: z.array(z.string()) }),
  nodes: z.looseObject({ reporting: z.number(), of: z.number(), list: z.array(z.looseObject({ node: z.string() })) }),
  join: z.looseObject({ live: z.number(), pending: z.number(), evicted: z.number() }),
  verdicts: z.record(z.string(), z.number()),
  store: z.looseObject({ bytesOnDisk: z.number() }),
});

function isStatus(value: unknown): value is StatusJson {
  return statusSchema.safeParse(value).success;
}

function formatStatus(status: StatusJson, output: StatusFlags['output'], screen: Screen): string {
  if (output === 'json') return `${jsonText(status, 2)}\n`;
  return output === 'yaml' ? yamlText(status) : statusText(status, screen);
}

export function statusText(status: StatusJson, screen: Screen): string {
  const { cluster, nodes, ingest, join, store, series, followers } = status;
  const verdicts = Object.entries(status.verdicts).map(([verdict, connections]) => `${verdict} ${connections}`);
  const stored = ['connections', 'findings', 'batches', 'records', 'packets'] as const;
  const lines = [
    `collector ${status.version}, started ${status.started}`,
    `cluster   ${clusterText(cluster)}`,
    ...cluster.problems.map((problem, i) => `          ${problem}${problemTimesText(cluster.problemTimes?.[i])}`),
    `nodes     ${nodes.reporting} of ${nodes.of} reporting`,
    ...nodes.list.flatMap(warningsOf).map((warning) => `          ${warning}`),
    ...gapLines(nodes.list),
    `refused   ${ingest?.streamsRefused ?? 0} agent streams`,
    `join      ${join.live} live, ${join.pending} pending, ${limited(join.evicted, 'evicted', 'join.maxLive reached')}`,
    ...(join.doubtful || join.dropped
      ? [
          `          ${join.doubtful ?? 0} wait for the current state of the cluster, ${limited(join.dropped ?? 0, 'stay unknown', 'too many waited')}`,
        ]
      : []),
    `verdicts  ${verdicts.join(', ') || 'none so far'}`,
    ...unknownLine(status.namespaces),
    `store     ${stored.map((name) => `${store[name]} ${name}`).join(', ')}, ${mebibytes(store.bytesOnDisk)} MiB`,
    ...(store.waiting > 0 || store.lost > 0
      ? [`          ${store.waiting} pending store writes, ${limited(store.lost, 'dropped', 'buffer full')}`]
      : []),
    ...(series ? [`series    ${series.points} points written, ${series.dropped} dropped`] : []),
    ...(followers
      ? [`followers ${followers.now} connected, ${limited(followers.dropped, 'dropped', 'too slow')}`]
      : []),
  ].map(escapeControls);
  if (nodes.list.length === 0) return `${lines.join('\n')}\n`;
  return `${lines.join('\n')}\n\n${tableText(nodes.list.map(nodeRow), screen)}`;
}

/** The latest times in which a node was not watched. */
function gapLines(list: readonly NodeStatus[]): string[] {
  const gaps = list.flatMap(({ node, gaps = [] }) => gaps.map((gap) => ({ node, ...gap })));
  gaps.sort((a, b) => (a.until < b.until ? 1 : -1));
  const lines = gaps
    .slice(0, maxGaps)
    .map(
      ({ node, from, until, why }) => `          ${node} not watched from ${from} until ${until}: ${gapReasons[why]}`,
    );
  return gaps.length > maxGaps
    ? [...lines, `          ${gaps.length - maxGaps} earlier gaps; -o json shows them`]
    : lines;
}

/** The share of unknown verdicts in the namespaces with the most of them; none without unknown verdicts. */
function unknownLine(namespaces: StatusJson['namespaces'] = {}): string[] {
  const some = Object.entries(namespaces)
    .filter(([, { unknown }]) => unknown > 0)
    .sort(([a, one], [b, other]) => other.unknown - one.unknown || (a < b ? -1 : 1))
    .map(([name, { connections, unknown }]) => {
      const percent = Math.max(1, Math.round((100 * unknown) / connections));
      return `${name} ${percent} % (${unknown} of ${connections})`;
    });
  return some.length === 0 ? [] : [`unknown   ${listText(some, ', ', maxNamespaces)}`];
}

function clusterText({ synced, stale = [] }: StatusJson['cluster']): string {
  if (!synced) return 'not synced yet, so every verdict is unknown';
  if (stale.length === 0) return 'synced';
  const kinds = stale.map(({ resource, since }) => `${resource} since ${since}`);
  return `stale, so verdicts that depend on it are unknown: ${kinds.join(', ')}`;
}

/** ` (since 2026-01-01T00:00:00.000Z, 12 times, last 2026-01-01T00:10:00.000Z)` */
function problemTimesText(times: ProblemTimes | undefined): string {
  if (times === undefined) return '';
  const { first, last, count } = times;
  return count === 1 ? ` (at ${first})` : ` (since ${first}, ${count} times, last ${last})`;
}

/** What somebody should look at: refusals, and a second agent. */
function warningsOf({ node, agents = 1, refusedBatches = 0, refusedClaims }: NodeStatus): string[] {
  const { pods = 0, nodeAddresses = 0 } = refusedClaims ?? {};
  return [
    ...(agents > 1 ? [`${node}: ${agents} agents report; only one may have the certificate of a node`] : []),
    ...(pods + nodeAddresses > 0
      ? [`${node}: its agent claims ${pods} pods and ${nodeAddresses} addresses of other nodes, refused`]
      : []),
    ...(refusedBatches > 0 ? [`${node}: ${refusedBatches} batches refused; the collector's log has the reason`] : []),
  ];
}

/** `12 evicted (join.maxLive reached)`, or `0 evicted` without the reason. */
function limited(count: number, what: string, reason: string): string {
  return count === 0 ? `0 ${what}` : `${count} ${what} (${reason})`;
}

function nodeRow(node: NodeStatus): Parameters<typeof tableText>[0][number] {
  const lost = Object.entries(node.books?.lost ?? {}).map(([reason, packets]) => `${reason} ${packets}`);
  return {
    cells: {
      node: node.node,
      agent: node.agent,
      source: node.source ?? '',
      'source reason': node.sourceReason ?? '',
      interfaces: interfacesText(node),
      'lag ms': String(node.lagMs ?? ''),
      'clock offset ms': String(node.clockOffsetMs ?? ''),
      records: String(node.recordsReceived ?? ''),
      packets: String(node.books?.seen ?? ''),
      ignored: node.books === undefined ? '' : String(sumOf(node.books.setAside)),
      lost: lost.join(', ') || (node.books === undefined ? '' : 'none'),
    },
    detail: [],
    style: node.agent === 'reporting' ? 'plain' : 'yellow',
  };
}

function sumOf(packets: Record<string, number>): number {
  return Object.values(packets).reduce((sum, one) => sum + one, 0);
}

function interfacesText({ interfaces, notWatched = [], podsNotWatched = [] }: NodeStatus): string {
  if (interfaces === undefined) return '';
  const links = notWatched.length === 0 ? [] : [`${notWatched.length} not watched`];
  const pods = podsNotWatched.length === 0 ? [] : [`${podsNotWatched.length} pods not watched`];
  return [String(interfaces), ...links, ...pods].join(', ');
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
