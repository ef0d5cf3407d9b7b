// The runs of the agents, and the state of the collector's clock, in the embedded store.
import { type DuckDBConnection, type DuckDBValue, listValue } from '@duckdb/node-api';
import type { AgentRun } from '../../../model/agent-run.ts';
import type { StoredClock } from '../store.ts';
import { wholeUs } from './schema.ts';

/** Stored for each node: the latest. */
const maxRunsPerNode = 20;

/** A later version of a run (same node and instance) replaces the earlier one. */
export async function putAgentRuns(connection: DuckDBConnection, runs: readonly AgentRun[]): Promise<void> {
  if (runs.length === 0) return;
  await connection.run(
    'INSERT OR REPLACE INTO agent_runs SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)',
    [
      listValue(runs.map(({ node }) => node)),
      listValue(runs.map(({ instance }) => instance)),
      listValue(runs.map(({ watchingSinceUs }) => wholeUs(watchingSinceUs))),
      listValue(runs.map(({ coveredUntilUs }) => wholeUs(coveredUntilUs))),
      listValue(runs.map(({ stopped }) => stopped)),
    ],
  );
}

export async function putClock(connection: DuckDBConnection, { nowUs, wallOffsetUs }: StoredClock): Promise<void> {
  await connection.run('DELETE FROM clock');
  await connection.run('INSERT INTO clock VALUES (?, ?)', [wholeUs(nowUs), wholeUs(wallOffsetUs)]);
}

/** The latest run of each node stays, whatever its age: the next run shows the gap between them. */
export async function deleteOldRuns(connection: DuckDBConnection, beforeUs: number): Promise<void> {
  await connection.run(
    `DELETE FROM agent_runs WHERE (node, instance) IN (SELECT (node, instance) FROM (SELECT *, row_number() OVER
      (PARTITION BY node ORDER BY covered_until_us DESC) AS newest FROM agent_runs)
      WHERE newest > ${maxRunsPerNode} OR (newest > 1 AND covered_until_us < ?))`,
    [wholeUs(beforeUs)],
  );
}

export function agentRunOf(row: Record<string, DuckDBValue>): AgentRun {
  return {
    node: String(row.node),
    instance: String(row.instance),
    watchingSinceUs: Number(row.watching_since_us),
    coveredUntilUs: Number(row.covered_until_us),
    stopped: row.stopped === true,
  };
}
