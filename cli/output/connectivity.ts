// Lines of connectivity as scripts read them (docs/json.md), and what people read of them.

import {
  type Connections,
  connectionsJson,
  connectionsText,
  type ProtocolPortsJson,
} from '../../connectivity/connections.ts';
import type { Passing, PassingVerdict } from '../../connectivity/connectivity.ts';
import type { Before, Change, Changed } from '../../connectivity/difference.ts';
import type { Line } from '../../connectivity/lines.ts';
import type { Placement } from '../../connectivity/placement.ts';
import type { PlaceJson } from '../../connectivity/places.ts';
import type { UnknownReason } from '../../model/verdict.ts';
import { reasonText } from '../../policy/explain.ts';
import type { Style } from './table.ts';

type BothEnds = { initiator: PlaceJson; responder: PlaceJson; placement?: Placement };
type What = { connections: string; protocols: readonly ProtocolPortsJson[] };

export type PassingJson = BothEnds & { verdict: PassingVerdict; reason?: string } & What;

export type BeforeJson = { verdict: PassingVerdict | 'denied' | 'absent'; reason?: string };
export type ChangedJson = { change: Change } & BothEnds & { before: BeforeJson; after: BeforeJson } & What;

export function passingJson({ told, ...ends }: Line<Passing>): PassingJson {
  const { verdict, why, connections } = told;
  return { ...ends, verdict, ...(why && { reason: doubtText(why) }), ...what(connections) };
}

export function changedJson({ told, ...ends }: Line<Changed>): ChangedJson {
  const { change, before, after, connections } = told;
  return { change, ...ends, before: beforeJson(before), after: beforeJson(after), ...what(connections) };
}

function what(connections: Connections): What {
  return { connections: connectionsText(connections), protocols: connectionsJson(connections) };
}

function beforeJson(one: Before): BeforeJson {
  if (one === 'absent') return { verdict: 'absent' };
  return { verdict: one.verdict, ...(one.why && { reason: doubtText(one.why) }) };
}

/** The line says of whom: one pod of many that are judged alike would be named. */
function doubtText(why: UnknownReason): string {
  if (why.reason !== 'node-not-known') return reasonText(why);
  return 'a pod and its own node may always reach each other, and it is not known which node that is';
}

/** How lines of one kind are shown to people; `ambiguous` are names of workloads that need their kind beside them. */
export type LineShape<Json> = {
  columns(json: Json, ambiguous: ReadonlySet<string>): Record<string, string>;
  below(json: Json): string;
  style(json: Json): Style;
  /** Of an edge of the graph. */
  edge(json: Json): { label: string; color: string; style: 'solid' | 'dashed' | 'dotted' };
  none: string;
};

export const passingShape: LineShape<PassingJson> = {
  none: 'no connections: all are denied',
  columns: (one, ambiguous) => ({ ...endColumns(one, ambiguous), verdict: one.verdict, connections: one.connections }),
  below: ({ reason = '' }) => reason,
  style: () => 'plain',
  edge: ({ verdict, connections, placement = 'any' }) => ({
    label: connections + placementTexts[placement],
    ...edges[verdict],
  }),
};

const edges = {
  allowed: { color: 'darkgreen', style: 'solid' },
  undeclared: { color: 'darkorange', style: 'dashed' },
  unknown: { color: 'gray40', style: 'dotted' },
} as const;

export const changedShape: LineShape<ChangedJson> = {
  none: 'no changes',
  columns: (one, ambiguous) => ({
    change: one.change,
    ...endColumns(one, ambiguous),
    before: one.before.verdict,
    after: one.after.verdict,
    connections: one.connections,
  }),
  below: ({ before, after }) =>
    [
      before.reason === undefined ? '' : `unknown before: ${before.reason}`,
      after.reason === undefined ? '' : `unknown after: ${after.reason}`,
    ]
      .filter((text) => text !== '')
      .join('; '),
  style: ({ change }) => changeStyles[change],
  edge: ({ change, connections, placement = 'any' }) => ({
    label: `${change}: ${connections}${placementTexts[placement]}`,
    ...changeEdges[change],
  }),
};

const changeStyles: Record<Change, Style> = {
  opened: 'red',
  closed: 'blue',
  declared: 'plain',
  undeclared: 'yellow',
  uncertain: 'yellow',
};

const changeEdges = {
  opened: { color: 'red', style: 'solid' },
  closed: { color: 'blue', style: 'dashed' },
  declared: { color: 'darkgreen', style: 'solid' },
  undeclared: { color: 'darkorange', style: 'dashed' },
  uncertain: { color: 'gray40', style: 'dotted' },
} as const;

function endColumns({ initiator, responder, placement }: BothEnds, ambiguous: ReadonlySet<string>) {
  const told = (place: PlaceJson) => {
    const where = place.kind === 'node' || place.kind === 'host' ? placementTexts[placement ?? 'any'] : '';
    return `${placeText(place, ambiguous)}${where}`;
  };
  return { initiator: told(initiator), responder: told(responder) };
}

const placementTexts: Record<Placement, string> = {
  any: '',
  'same-node': ' (same node)',
  'cross-node': ' (another node)',
  unplaced: ' (node not known)',
};

const nodesToldMost = 3;

export function placeText(place: PlaceJson, ambiguous: ReadonlySet<string>): string {
  switch (place.kind) {
    case 'pod':
    case 'host': {
      const { namespace, workload, workloadKind, pods, ips } = place;
      const name = `${namespace}/${workload}`;
      const title = ambiguous.has(name) ? `${namespace}/${workloadKind}/${workload}` : name;
      const some = pods === undefined ? title : `${title} [${pods.join(', ')}]`;
      return ips === undefined ? some : `${some} at ${ips.join(', ')}`;
    }
    case 'node': {
      const { nodes, ips } = place;
      const more = nodes.length - nodesToldMost;
      const told = more > 1 ? `${nodes.slice(0, nodesToldMost).join(', ')} and ${more} more` : nodes.join(', ');
      return `${nodes.length === 1 ? 'node' : 'nodes'} ${told}${ips === undefined ? '' : ` at ${ips.join(', ')}`}`;
    }
    case 'external':
      return `outside ${place.addresses.join(', ')}${namesText(place)}`;
  }
}

function namesText({ namesSeen, names = [], notNames = [] }: PlaceJson & { kind: 'external' }): string {
  const but = notNames.length === 0 ? '' : `, not ${notNames.join(', ')}`;
  switch (namesSeen) {
    case undefined:
      return '';
    case 'none':
      return ' (no name seen)';
    case 'matching':
      return ` (named ${names.join(', ')}${but})`;
    case 'others':
      return ` (named otherwise${but})`;
  }
}
