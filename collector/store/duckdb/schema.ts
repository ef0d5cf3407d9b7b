// The tables of the embedded store. A later version of Waybill increases `schemaVersion` and migrates older files.
export const schemaVersion = 2;

const maxBigint = 2n ** 63n - 1n;

/** A time as it is stored. Throws if it is not a number, or too large for the column. */
export function wholeUs(us: number): bigint {
  const whole = BigInt(Math.round(us));
  if (whole > maxBigint || whole < -maxBigint) throw new RangeError(`the time ${us} is too large`);
  return whole;
}

/**
 * batches: one row for each batch, with its records as received (a FlowBatch message); unique by (node, instance, sequence).
 * connections: a later version of the same id replaces the earlier one. findings: one row for each finding.
 * object_versions: the cluster's objects over time, by their sequence number. known_objects: at most one row.
 * names: the DNS names of one interface, as identity/dns-names.ts writes them. agent_runs: one row for each start of an agent.
 * clock: at most one row, the clock of all stored times, and the wall clock minus it. Times in µs since the epoch.
 */
export const tables = [
  'CREATE TABLE IF NOT EXISTS about (schema_version INTEGER NOT NULL)',
  `CREATE TABLE IF NOT EXISTS batches (
    node VARCHAR NOT NULL, instance VARCHAR NOT NULL, sequence BIGINT NOT NULL,
    clock_offset_us BIGINT NOT NULL, end_us BIGINT NOT NULL,
    records INTEGER NOT NULL, packets BIGINT NOT NULL,
    pods VARCHAR NOT NULL, body BLOB NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS connections (
    id VARCHAR NOT NULL, version BIGINT NOT NULL, gone BOOLEAN NOT NULL,
    start_us BIGINT, end_us BIGINT, verdict VARCHAR, namespaces VARCHAR[], names VARCHAR[], body VARCHAR)`,
  `CREATE TABLE IF NOT EXISTS findings (
    id VARCHAR PRIMARY KEY, kind VARCHAR NOT NULL, severity VARCHAR NOT NULL, verdict VARCHAR,
    first_us BIGINT NOT NULL, last_us BIGINT NOT NULL, namespaces VARCHAR[], names VARCHAR[], body VARCHAR NOT NULL)`,
  'CREATE TABLE IF NOT EXISTS names (key VARCHAR PRIMARY KEY, body VARCHAR NOT NULL)',
  `CREATE TABLE IF NOT EXISTS agent_runs (
    node VARCHAR NOT NULL, instance VARCHAR NOT NULL, watching_since_us BIGINT NOT NULL, covered_until_us BIGINT NOT NULL,
    stopped BOOLEAN NOT NULL, PRIMARY KEY (node, instance))`,
  'CREATE TABLE IF NOT EXISTS clock (now_us BIGINT NOT NULL, wall_offset_us BIGINT NOT NULL)',
  // Since version 2: the initiator by workload, and the connections of a rolled-up finding by member.
  'ALTER TABLE findings ADD COLUMN IF NOT EXISTS initiator VARCHAR',
  'ALTER TABLE findings ADD COLUMN IF NOT EXISTS member_counts VARCHAR',
  `CREATE TABLE IF NOT EXISTS object_versions (
    sequence BIGINT NOT NULL, key VARCHAR NOT NULL, type VARCHAR NOT NULL, version VARCHAR NOT NULL,
    from_us BIGINT NOT NULL, since_us BIGINT, body VARCHAR NOT NULL)`,
  'CREATE TABLE IF NOT EXISTS known_objects (body VARCHAR NOT NULL)',
  // Findings are collected here, to replace stored ones in a single statement.
  'CREATE TEMP TABLE staged_findings AS FROM findings LIMIT 0',
] as const;
