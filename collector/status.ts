// What `waybill status` shows: nodes n of m, how far each agent's records reach, what was lost, what waits.
import { timeText } from '../model/json.ts';
import type { WireBooks } from '../proto/wire.ts';
import type { NodeStatus, Status } from './api/api.ts';
import type { ClusterHistory } from './identity/cluster-history.ts';
import type { Agents, AgentView } from './ingest/agents.ts';
import type { Judging } from './judging.ts';

export type StatusParts = {
  version: string;
  startedUs: number;
  nowUs: number;
  cluster: ClusterHistory;
  problems: readonly string[];
  agents: Agents;
  streamsRefused: number;
  judging: Judging['counts'];
  store: Status['store'];
  series: Status['series'];
};

export function statusOf(parts: StatusParts): Status {
  const { agents, cluster, nowUs } = parts;
  const known = new Map(agents.all().map((agent) => [agent.node, agent]));
  const names = [...new Set([...cluster.nodeNames, ...known.keys()])].sort();
  const list = names.map((node) => nodeStatus(node, known.get(node), agents, nowUs));
  const { live, pending, evicted, verdicts } = parts.judging;
  return {
    version: parts.version,
    started: timeText(parts.startedUs),
    cluster: { synced: cluster.synced, problems: [...parts.problems] },
    nodes: { reporting: list.filter((one) => one.agent === 'reporting').length, of: names.length, list },
    ingest: { streamsRefused: parts.streamsRefused },
    join: { live, pending, evicted },
    verdicts,
    store: parts.store,
    series: parts.series,
  };
}

function nodeStatus(node: string, agent: AgentView | undefined, agents: Agents, nowUs: number): NodeStatus {
  if (agent === undefined) return { node, agent: 'missing' };
  const { state } = agent;
  return {
    node,
    agent: agents.reporting(node, nowUs) === undefined ? 'away' : 'reporting',
    lastHeard: timeText(agent.lastHeardUs),
    ...(agent.coveredUntilUs > 0 ? { lagMs: Math.max(0, Math.round((nowUs - agent.coveredUntilUs) / 1000)) } : {}),
    clockOffsetMs: Math.round(agent.clockOffsetUs / 1000),
    version: state.version,
    source: state.source,
    sourceReason: state.sourceReason,
    interfaces: state.interfaces.filter((link) => link.goneUs === 0).length,
    notWatched: state.notWatched,
    recordsReceived: agent.recordsReceived,
    duplicatesDropped: agent.duplicatesDropped,
    ...(state.books === null ? {} : { books: shown(state.books) }),
  };
}

function shown({ bytes, ...packets }: WireBooks): NonNullable<NodeStatus['books']> {
  return bytes === null ? packets : { ...packets, bytes };
}
