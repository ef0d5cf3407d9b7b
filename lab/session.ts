// One run of a topology: up, traffic, evaluation, down.
import type { ConnectionJson, FindingJson } from '../model/json.ts';
import { ClusterNetwork } from './cluster/cluster-network.ts';
import { type NodeAccounting, WaybillPrograms } from './programs/waybill.ts';
import { removeLeftovers } from './system/leftovers.ts';
import { readTopology } from './topology/topology.ts';
import { labelDifferences } from './traffic/labels.ts';
import { type Played, TrafficPlayer } from './traffic/play.ts';

export type RunResult = {
  findings: FindingJson[];
  connections: ConnectionJson[];
  /** The agents' packet accounting, by node; called `books` as in `waybill status -o json`. */
  books: Record<string, NodeAccounting>;
  traffic: readonly Played[];
  /** Differences between the topology's labels and the result: a bug in Waybill, or in the topology. */
  differences: readonly string[];
};

const maxEvaluationMs = 30_000;

/** Every pod is a Node process: with a compile cache they start in a third of the time. */
const compileCache = new URL('../node_modules/.cache/compiled', import.meta.url).pathname;

export type LabSession = { network: ClusterNetwork; waybill: WaybillPrograms };

/** Brings the topology up with Waybill, calls `use`, and takes everything down, also after an error or a signal. */
export async function withLab<Result>(
  file: string,
  source: string,
  use: (session: LabSession) => Promise<Result>,
): Promise<Result> {
  process.env.NODE_COMPILE_CACHE ??= compileCache;
  await removeLeftovers();
  const { topology } = await readTopology(file);
  const network = new ClusterNetwork(topology);
  const onSignal = (signal: NodeJS.Signals) => {
    network.down().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    await network.up();
    const waybill = new WaybillPrograms(network, source);
    try {
      await waybill.start();
      return await use({ network, waybill });
    } finally {
      await waybill.stop();
    }
  } finally {
    await network.down();
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
  }
}

/** Plays the whole traffic script and returns what Waybill reports about it. */
export async function playAll({ network, waybill }: LabSession): Promise<RunResult> {
  const player = new TrafficPlayer(network);
  await player.play(network.topology.traffic);
  await player.end();
  await network.settled();
  await waybill.evaluated(maxEvaluationMs);
  const status = await waybill.status();
  const accounting = status.nodes.list.flatMap(({ node, books }) =>
    books === undefined ? [] : [[node, books] as const],
  );
  const findings = await waybill.findings();
  const connections = await waybill.connections();
  return {
    findings,
    connections,
    books: Object.fromEntries(accounting),
    traffic: player.played,
    differences: labelDifferences({ traffic: player.played, inert: network.topology.inert, connections, findings }),
  };
}
