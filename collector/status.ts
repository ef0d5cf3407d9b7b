// The status of the collector, for `waybill status` and `/v1/status`.
import type { OpenProblem } from '../cluster/open-problems.ts';
import type { NodeGap } from '../model/agent-run.ts';
import { timeText } from '../model/json.ts';
import { resourceName } from '../model/kubernetes.ts';
import { problemLine } from '../model/problem.ts';
import type { WireAccounting, WirePacketCounts } from '../proto/wire.ts';
import type { NodeGapJson, NodeStatus, ProblemTimes, Status } from './api/api.ts';
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
  /** The wall clock minus the collector's, default 0. Times are shown on the wall clock. */
  wallOffsetUs?: number;
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
  const { agents, cluster, wallOffsetUs = 0 } = parts;
  const shownTime = (us: number) => timeText(us + wallOffsetUs);
  const agentByNode = new Map(agents.all().map((agent) => [agent.node, agent]));
  const nodeNames = [...new Set([...cluster.nodeNames, ...agentByNode.keys()])].sort();
  const notWatched = podsNotWatched(cluster, agents);
  const list = nodeNames.map((node) => nodeStatus(node, agentByNode.get(node), notWatched.get(node) ?? [], parts));
  const { live, pending, evicted, doubtful, dropped, notOurs, verdicts, namespaces } = parts.pipeline;
  const problems = parts.problems.slice(-maxProblems);
  return {
    version: parts.version,
    started: shownTime(parts.startedUs),
    cluster: {
      synced: cluster.synced,
      stale: cluster.staleKinds.map(({ kind, sinceUs }) => ({
        resource: resourceName(kind),
        since: shownTime(sinceUs),
      })),
      problems: problems.map(({ problem }) => problemLine(problem)),
      problemTimes: problems.map((one) => problemTimesOf(one, shownTime)),
    },
    nodes: { reporting: list.filter((one) => one.agent === 'reporting').length, of: nodeNames.length, list },
    ingest: { streamsRefused: parts.streamsRefused },
    join: { live, pending, evicted, doubtful, dropped, notOurs },
    verdicts,
    namespaces,
    store: parts.store,
    series: parts.series,
  };
}

function problemTimesOf({ firstUs, lastUs, count }: OpenProblem, shownTime: (us: number) => string): ProblemTimes {
  return { first: shownTime(firstUs), last: shownTime(lastUs), count };
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
  parts: StatusParts,
): NodeStatus {
  const { agents, nowUs, wallOffsetUs = 0 } = parts;
  const shownTime = (us: number) => timeText(us + wallOffsetUs);
  const refusedBatches = agents.refusedBatches(node);
  const gaps = agents.runs.gapsOf(node).map((gap) => gapJson(gap, shownTime));
  if (agent === undefined) {
    // Before a restart of the collector it reported until then.
    const lastUs = agents.runs.coveredUntilUs(node);
    return {
      node,
      ...(lastUs === undefined ? { agent: 'missing' } : { agent: 'away', lastHeard: shownTime(lastUs) }),
      ...(gaps.length > 0 && { gaps }),
      ...(refusedBatches > 0 && { refusedBatches }),
    };
  }
  const { state } = agent;
  return {
    node,
    agent: agents.reportingAgent(node, nowUs) === undefined ? 'away' : 'reporting',
    lastHeard: shownTime(agent.lastHeardUs),
    ...(agent.coveredUntilUs > 0 ? { lagMs: Math.max(0, Math.round((nowUs - agent.coveredUntilUs) / 1000)) } : {}),
    clockOffsetMs: Math.round((agent.clockOffsetUs + wallOffsetUs - agent.wallOffsetUs) / 1000),
    version: state.version,
    source: state.source,
    sourceReason: state.sourceReason,
    interfaces: state.interfaces.filter((link) => link.goneUs === 0).length,
    notWatched: state.notWatched,
    podsNotWatched: podsNotWatched.toSorted().slice(0, maxPodsNotWatched),
    ...(gaps.length > 0 && { gaps }),
    recordsReceived: agent.recordsReceived,
    duplicatesDropped: agent.duplicatesDropped,
    refusedBatches,
    ...(agent.refusedClaims.isEmpty ? {} : { refusedClaims: agent.refusedClaims.counts }),
    ...(agents.agentsOf(node, nowUs) > 1 ? { agents: agents.agentsOf(node, nowUs) } : {}),
    ...(state.accounting === null ? {} : { books: accountingJson(state.accounting) }),
  };
}

function gapJson({ fromUs, untilUs, why }: NodeGap, shownTime: (us: number) => string): NodeGapJson {
  return { from: shownTime(fromUs), until: shownTime(untilUs), why };
}

function accountingJson({ bytes, ...packets }: WireAccounting): NonNullable<NodeStatus['books']> {
  return bytes === null ? countsJson(packets) : { ...countsJson(packets), bytes: countsJson(bytes) };
}

function countsJson({ seen, stored, ignored, lost }: WirePacketCounts) {
  return { seen, stored, setAside: ignored, lost };
}
