// One run of a topology: up, traffic, judged, down, whatever happened.
import type { ConnectionJson, FindingJson } from '../model/json.ts';
import { ClusterNetwork } from './cluster-network.ts';
import { labelDifferences } from './labels.ts';
import { removeLeftovers } from './leftovers.ts';
import type { BooksSeen } from './programs/waybill.ts';
import { WaybillPrograms } from './programs/waybill.ts';
import { readTopology } from './topology.ts';
import { type Played, TrafficPlayer } from './traffic/play.ts';

export type RunResult = {
  findings: FindingJson[];
  connections: ConnectionJson[];
  /** By node. */
  books: Record<string, BooksSeen>;
  traffic: readonly Played[];
  /** What is not as the topology says: Waybill's fault, or the topology's. */
  differences: readonly string[];
};

const judgedWithinMs = 30_000;

/** Every pod is a process of Node: compiled once, they begin in a third of the time. */
const compiled = new URL('../node_modules/.cache/compiled', import.meta.url).pathname;

export type LabSession = { network: ClusterNetwork; waybill: WaybillPrograms };

/** Brings the topology up with Waybill, calls `use`, and takes all down, whatever happened. */
export async function withLab<Result>(
  file: string,
  source: string,
  use: (session: LabSession) => Promise<Result>,
): Promise<Result> {
  process.env.NODE_COMPILE_CACHE ??= compiled;
  await removeLeftovers();
  const { topology } = await readTopology(file);
  const network = new ClusterNetwork(topology);
  const ending = (signal: NodeJS.Signals) => {
    network.down().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  process.once('SIGINT', ending);
  process.once('SIGTERM', ending);
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
    process.removeListener('SIGINT', ending);
    process.removeListener('SIGTERM', ending);
  }
}

/** Plays the whole traffic script and returns what was seen of it. */
export async function playAll({ network, waybill }: LabSession): Promise<RunResult> {
  const player = new TrafficPlayer(network);
  await player.play(network.topology.traffic);
  await player.end();
  await network.settled();
  await waybill.judged(judgedWithinMs);
  const status = await waybill.status();
  const books = status.nodes.list.flatMap(({ node, books: seen }) =>
    seen === undefined ? [] : [[node, seen] as const],
  );
  const findings = await waybill.findings();
  const connections = await waybill.connections();
  return {
    findings,
    connections,
    books: Object.fromEntries(books),
    traffic: player.played,
    differences: labelDifferences({ traffic: player.played, inert: network.topology.inert, connections, findings }),
  };
}
