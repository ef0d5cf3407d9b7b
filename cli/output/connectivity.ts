// The lines of `waybill connectivity` as JSON (docs/json.md) and as text.

import {
  type ConnectionSet,
  connectionSetJson,
  connectionSetText,
  type ProtocolPortsJson,
} from '../../connectivity/connection-set.ts';
import type { PassingConnections, PassingVerdict } from '../../connectivity/connectivity.ts';
import type { ChangedConnections, ChangeKind, VerdictOrAbsent } from '../../connectivity/difference.ts';
import type { EndpointGroupJson } from '../../connectivity/endpoint-groups.ts';
import type { Line } from '../../connectivity/lines.ts';
import type { PairPlacement } from '../../connectivity/pair-placement.ts';
import type { UnknownReason } from '../../model/verdict.ts';
import { reasonText } from '../../policy/explain.ts';
import type { Style } from './table.ts';

type EndpointGroupPairJson = { initiator: EndpointGroupJson; responder: EndpointGroupJson; placement?: PairPlacement };
type TrafficJson = { connections: string; protocols: readonly ProtocolPortsJson[] };

export type PassingJson = EndpointGroupPairJson & { verdict: PassingVerdict; reason?: string } & TrafficJson;

export type VerdictStateJson = { verdict: PassingVerdict | 'denied' | 'absent'; reason?: string };
export type ChangedJson = { change: ChangeKind } & EndpointGroupPairJson & {
    before: VerdictStateJson;
    after: VerdictStateJson;
  } & TrafficJson;

export function passingJson({ entry, ...ends }: Line<PassingConnections>): PassingJson {
  const { verdict, why, connections } = entry;
  return { ...ends, verdict, ...(why && { reason: unknownReasonText(why) }), ...trafficJson(connections) };
}

export function changedJson({ entry, ...ends }: Line<ChangedConnections>): ChangedJson {
  const { change, before, after, connections } = entry;
  return {
    change,
    ...ends,
    before: verdictStateJson(before),
    after: verdictStateJson(after),
    ...trafficJson(connections),
  };
}

function trafficJson(connections: ConnectionSet): TrafficJson {
  return { connections: connectionSetText(connections), protocols: connectionSetJson(connections) };
}

function verdictStateJson(one: VerdictOrAbsent): VerdictStateJson {
  if (one === 'absent') return { verdict: 'absent' };
  return { verdict: one.verdict, ...(one.why && { reason: unknownReasonText(one.why) }) };
}

/** A line covers many pods, so its reason must not name one of them. */
function unknownReasonText(why: UnknownReason): string {
  if (why.reason !== 'node-not-known') return reasonText(why);
  return 'a pod and its own node can always reach each other, and the node of the pod is unknown';
}

/** Formats lines as text. `ambiguous` has the names of workloads that are shown with their kind. */
export type LineFormatter<Json> = {
  columns(json: Json, ambiguous: ReadonlySet<string>): Record<string, string>;
  detail(json: Json): string;
  style(json: Json): Style;
  /** Formats an edge of the graph. */
  edge(json: Json): { label: string; color: string; style: 'solid' | 'dashed' | 'dotted' };
  emptyText: string;
};

export const passingFormatter: LineFormatter<PassingJson> = {
  emptyText: 'no connections: all are denied',
  columns: (one, ambiguous) => ({ ...endColumns(one, ambiguous), verdict: one.verdict, connections: one.connections }),
  detail: ({ reason = '' }) => reason,
  style: () => 'plain',
  edge: ({ verdict, connections, placement = 'any' }) => ({
    label: connections + placementTexts[placement],
    ...edgeStyles[verdict],
  }),
};

const edgeStyles = {
  allowed: { color: 'darkgreen', style: 'solid' },
  undeclared: { color: 'darkorange', style: 'dashed' },
  unknown: { color: 'gray40', style: 'dotted' },
} as const;

export const changedFormatter: LineFormatter<ChangedJson> = {
  emptyText: 'no changes',
  columns: (one, ambiguous) => ({
    change: one.change,
    ...endColumns(one, ambiguous),
    before: one.before.verdict,
    after: one.after.verdict,
    connections: one.connections,
  }),
  detail: ({ before, after }) =>
    [
      before.reason === undefined ? '' : `unknown before: ${before.reason}`,
      after.reason === undefined ? '' : `unknown after: ${after.reason}`,
    ]
      .filter((text) => text !== '')
      .join('; '),
  style: ({ change }) => changeStyles[change],
  edge: ({ change, connections, placement = 'any' }) => ({
    label: `${change}: ${connections}${placementTexts[placement]}`,
    ...changeEdgeStyles[change],
  }),
};

const changeStyles: Record<ChangeKind, Style> = {
  opened: 'red',
  closed: 'blue',
  declared: 'plain',
  undeclared: 'yellow',
  uncertain: 'yellow',
};

const changeEdgeStyles = {
  opened: { color: 'red', style: 'solid' },
  closed: { color: 'blue', style: 'dashed' },
  declared: { color: 'darkgreen', style: 'solid' },
  undeclared: { color: 'darkorange', style: 'dashed' },
  uncertain: { color: 'gray40', style: 'dotted' },
} as const;

function endColumns({ initiator, responder, placement }: EndpointGroupPairJson, ambiguous: ReadonlySet<string>) {
  const columnText = (group: EndpointGroupJson) => {
    const where = group.kind === 'node' || group.kind === 'host' ? placementTexts[placement ?? 'any'] : '';
    return `${endpointGroupText(group, ambiguous)}${where}`;
  };
  return { initiator: columnText(initiator), responder: columnText(responder) };
}

const placementTexts: Record<PairPlacement, string> = {
  any: '',
  'same-node': ' (same node)',
  'cross-node': ' (another node)',
  unplaced: ' (node unknown)',
};

const maxNodesShown = 3;

export function endpointGroupText(group: EndpointGroupJson, ambiguous: ReadonlySet<string>): string {
  switch (group.kind) {
    case 'pod':
    case 'host': {
      const { namespace, workload, workloadKind, pods, ips } = group;
      const name = `${namespace}/${workload}`;
      const title = ambiguous.has(name) ? `${namespace}/${workloadKind}/${workload}` : name;
      const withPods = pods === undefined ? title : `${title} [${pods.join(', ')}]`;
      return ips === undefined ? withPods : `${withPods} at ${ips.join(', ')}`;
    }
    case 'node': {
      const { nodes, ips } = group;
      const hiddenNodes = nodes.length - maxNodesShown;
      const nodeNames =
        hiddenNodes > 1 ? `${nodes.slice(0, maxNodesShown).join(', ')} and ${hiddenNodes} more` : nodes.join(', ');
      return `${nodes.length === 1 ? 'node' : 'nodes'} ${nodeNames}${ips === undefined ? '' : ` at ${ips.join(', ')}`}`;
    }
    case 'external':
      return `outside ${group.addresses.join(', ')}${namesText(group)}`;
    case 'other-pods':
      return group.text;
  }
}

function namesText({ namesSeen, names = [], notNames = [] }: EndpointGroupJson & { kind: 'external' }): string {
  const exceptText = notNames.length === 0 ? '' : `, not ${notNames.join(', ')}`;
  switch (namesSeen) {
    case undefined:
      return '';
    case 'none':
      return ' (no name seen)';
    case 'matching':
      return ` (named ${names.join(', ')}${exceptText})`;
    case 'others':
      return ` (other name${exceptText})`;
  }
}
