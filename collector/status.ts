// The status of the collector, for `waybill status` and `/v1/status`.
import type { OpenProblem } from '../cluster/open-problems.ts';
import { timeText } from '../model/json.ts';
import { resourceName } from '../model/kubernetes.ts';
import { problemLine } from '../model/problem.ts';
import type { WireAccounting, WirePacketCounts } from '../proto/wire.ts';
import type { NodeStatus, ProblemTimes, Status } from './api/api.ts';
import type { ClusterHistory } from './identity/cluster-history.ts';
import type { Agents, AgentView } from './ingest/agents.ts';
import type { Pipeline } from './pipeline.ts';

/** Shown at most, the latest. */
const maxProblems = 20;
const maxPodsNotWatched = 1_000;

export type StatusParts = {
  version: string;
  startedUs: number;
  nowUs: number;
  cluster: ClusterHistory;
  /** The least recent first. */
  problems: readonly OpenProblem[];
  agents: Agents;
  streamsRefused: number;
  pipeline: Pipeline['counts'];
  store: Status['store'];
  series: Status['series'];
};

export function statusOf(parts: StatusParts): Status {
  const { agents, cluster, nowUs } = parts;
  const agentByNode = new Map(agents.all().map((agent) => [agent.node, agent]));
  const nodeNames = [...new Set([...cluster.nodeNames, ...agentByNode.keys()])].sort();
  const notWatched = podsNotWatched(cluster, agents);
  const list = nodeNames.map((node) =>
    nodeStatus(node, agentByNode.get(node), notWatched.get(node) ?? [], agents, nowUs),
  );
  const { live, pending, evicted, doubtful, dropped, notOurs, verdicts } = parts.pipeline;
  const problems = parts.problems.slice(-maxProblems);
  return {
    version: parts.version,
    started: timeText(parts.startedUs),
    cluster: {
      synced: cluster.synced,
      stale: cluster.staleKinds.map(({ kind, sinceUs }) => ({
        resource: resourceName(kind),
        since: timeText(sinceUs),
      })),
      problems: problems.map(({ problem }) => problemLine(problem)),
      problemTimes: problems.map(problemTimesOf),
    },
    nodes: { reporting: list.filter((one) => one.agent === 'reporting').length, of: nodeNames.length, list },
    ingest: { streamsRefused: parts.streamsRefused },
    join: { live, pending, evicted, doubtful, dropped, notOurs },
    verdicts,
    store: parts.store,
    series: parts.series,
  };
}

function problemTimesOf({ firstUs, lastUs, count }: OpenProblem): ProblemTimes {
  return { first: timeText(firstUs), last: timeText(lastUs), count };
}

/** By node, as `namespace/name`; an address is named if the pod has others that are watched. */
function podsNotWatched(cluster: ClusterHistory, agents: Agents): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { namespace, name, uid, node, hostNetwork, addresses, secondaryAddresses } of cluster.livePods()) {
    if (hostNetwork || node === '' || addresses.length === 0) continue;
    const isWatched = addresses.some((address) => agents.interfaceOf(uid, address) !== undefined);
    const missing = isWatched
      ? secondaryAddresses
          .filter((address) => agents.interfaceOf(uid, address) === undefined)
          .map((address) => `${namespace}/${name} ${address}`)
      : [`${namespace}/${name}`];
    if (missing.length > 0) found.set(node, [...(found.get(node) ?? []), ...missing]);
  }
  return found;
}

function nodeStatus(
  node: string,
  agent: AgentView | undefined,
  podsNotWatched: readonly string[],
  agents: Agents,
  nowUs: number,
): NodeStatus {
  const refusedBatches = agents.refusedBatches(node);
  if (agent === undefined) return { node, agent: 'missing', ...(refusedBatches > 0 && { refusedBatches }) };
  const { state } = agent;
  return {
    node,
    agent: agents.reportingAgent(node, nowUs) === undefined ? 'away' : 'reporting',
    lastHeard: timeText(agent.lastHeardUs),
    ...(agent.coveredUntilUs > 0 ? { lagMs: Math.max(0, Math.round((nowUs - agent.coveredUntilUs) / 1000)) } : {}),
    clockOffsetMs: Math.round(agent.clockOffsetUs / 1000),
    version: state.version,
    source: state.source,
    sourceReason: state.sourceReason,
    interfaces: state.interfaces.filter((link) => link.goneUs === 0).length,
    notWatched: state.notWatched,
    podsNotWatched: podsNotWatched.toSorted().slice(0, maxPodsNotWatched),
    recordsReceived: agent.recordsReceived,
    duplicatesDropped: agent.duplicatesDropped,
    refusedBatches,
    ...(agent.refusedClaims.isEmpty ? {} : { refusedClaims: agent.refusedClaims.counts }),
    ...(agents.agentsOf(node, nowUs) > 1 ? { agents: agents.agentsOf(node, nowUs) } : {}),
    ...(state.accounting === null ? {} : { books: accountingJson(state.accounting) }),
  };
}

function accountingJson({ bytes, ...packets }: WireAccounting): NonNullable<NodeStatus['books']> {
  return bytes === null ? countsJson(packets) : { ...countsJson(packets), bytes: countsJson(bytes) };
}

function countsJson({ seen, stored, ignored, lost }: WirePacketCounts) {
  return { seen, stored, setAside: ignored, lost };
}
