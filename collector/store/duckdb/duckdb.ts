// The embedded store: one DuckDB file. When the promise of a batch resolves, the batch and its sequence number are on disk
// (synced write-ahead log).
import { mkdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue, listValue } from '@duckdb/node-api';
import type { AgentRun } from '../../../model/agent-run.ts';
import type { Connection } from '../../../model/connection.ts';
import type { Finding } from '../../../model/finding.ts';
import type { KnownObjects, ObjectVersion } from '../../../model/object-version.ts';
import { ProblemError } from '../../../model/problem.ts';
import type { FindingFamily } from '../../findings/finding-id.ts';
import { findingIdsOf } from '../../findings/finding-id.ts';
import type { ListQuery, Store, StoreChanges, StoredBatch, StoredClock, StoredCluster, StoredText } from '../store.ts';
import { agentRunOf, deleteOldRuns, putAgentRuns, putClock } from './agent-runs.ts';
import { appendConnections, appendFindings, appendObjectVersions } from './append.ts';
import { batchOfRow } from './batch-rows.ts';
import { BatchWriter } from './batch-writer.ts';
import { storeNewer, storeProblem } from './errors.ts';
import { deleteOldVersions, knownObjectsOf, objectVersionOfRow, replaceKnownObjects } from './object-rows.ts';
import { connectionFilter, fairSelection, findingFilter } from './query.ts';
import { checkTimes, ReadableRows } from './readable-rows.ts';
import { schemaVersion, tables, wholeUs } from './schema.ts';
import { Statements } from './statements.ts';
import { StoredSequences } from './stored-sequences.ts';
import { inTransaction } from './transaction.ts';

export type DuckdbOptions = {
  path: string;
  memoryLimitBytes: number;
  maxAgeMs: number;
  maxBytes: number;
  /** Called once for each stored row that cannot be read. It is skipped. */
  onUnreadable?: (row: string, reason: string) => void;
};

/** If the store is too large, the oldest tenth is deleted at once. */
const shareDeleted = 0.1;

/** Throws a ProblemError if another program has the file open, or if it is newer or not a Waybill store. */
export async function openDuckdb(options: DuckdbOptions): Promise<Store> {
  try {
    mkdirSync(dirname(options.path), { recursive: true });
    const instance = await DuckDBInstance.create(options.path, {
      memory_limit: `${Math.floor(options.memoryLimitBytes / 2 ** 20)}MiB`,
      threads: '1',
      preserve_insertion_order: 'true',
      // Acknowledgements wait for a checkpoint. The default, 16 MiB, is reached every second under load.
      checkpoint_threshold: '64MiB',
    });
    const connection = await instance.connect();
    const batchConnection = await instance.connect();
    for (const table of tables) await connection.run(table);
    const rows = await rowsOf(connection, 'SELECT schema_version FROM about');
    const version = Number(rows[0]?.schema_version ?? schemaVersion);
    if (version > schemaVersion) throw new ProblemError(storeNewer(options.path, version, schemaVersion));
    if (rows.length === 0) await connection.run('INSERT INTO about VALUES (?)', [schemaVersion]);
    const store = new DuckdbStore(options, instance, connection, batchConnection);
    if (version < schemaVersion) await store.migrate();
    await store.loadSequences();
    return store;
  } catch (error) {
    throw error instanceof ProblemError ? error : new ProblemError(storeProblem(options.path, error));
  }
}

class DuckdbStore implements Store {
  readonly #options: DuckdbOptions;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #stored = new StoredSequences();
  readonly #statements: Statements;
  /** Batches have a connection of their own, so that an acknowledgement does not wait for queries and other writes. */
  readonly #batchStatements: Statements;
  readonly #batches: BatchWriter;
  readonly #readable: ReadableRows;
  #version = 0;
  #objectSequence = 0;

  constructor(
    options: DuckdbOptions,
    instance: DuckDBInstance,
    connection: DuckDBConnection,
    batchConnection: DuckDBConnection,
  ) {
    this.#options = options;
    this.#instance = instance;
    this.#connection = connection;
    this.#statements = new Statements(connection);
    this.#batchStatements = new Statements(batchConnection);
    this.#batches = new BatchWriter(this.#batchStatements, this.#stored);
    this.#readable = new ReadableRows(options.onUnreadable ?? (() => undefined));
  }

  /** From version 1, whose findings have no `initiator`. */
  async migrate(): Promise<void> {
    const rows = await rowsOf(this.#connection, 'SELECT id, body FROM findings WHERE initiator IS NULL');
    const findings = this.#readable.read(rows, (row) => `finding ${row.id}`, findingOf);
    await inTransaction(this.#connection, async () => {
      await this.#putFindings(findings);
      await this.#connection.run('UPDATE about SET schema_version = ?', [schemaVersion]);
    });
  }

  async loadSequences(): Promise<void> {
    const ranges = await rowsOf(
      this.#connection,
      `SELECT node, instance, min(sequence) AS low, max(sequence) AS high FROM (SELECT node, instance, sequence, rowid,
        sequence - row_number() OVER (PARTITION BY node, instance ORDER BY sequence) AS range FROM batches)
       GROUP BY node, instance, range ORDER BY max(rowid)`,
    );
    for (const { node, instance, low, high } of ranges) {
      this.#stored.addRange(String(node), String(instance), Number(low), Number(high));
    }
    const [row] = await rowsOf(this.#connection, 'SELECT max(version) AS version FROM connections');
    this.#version = Number(row?.version ?? 0);
    const [last] = await rowsOf(this.#connection, 'SELECT max(sequence) AS sequence FROM object_versions');
    this.#objectSequence = Number(last?.sequence ?? 0);
  }

  putBatch(batch: StoredBatch): ReturnType<Store['putBatch']> {
    return this.#batches.put(batch);
  }

  async write(changes: Partial<StoreChanges>): Promise<void> {
    await this.#runSerialized(() => inTransaction(this.#connection, () => this.#writeAll(changes)));
  }

  async putObjectVersions(versions: readonly ObjectVersion[]): Promise<void> {
    if (versions.length === 0) return;
    await this.#runSerialized(() => {
      const sequence = this.#objectSequence + 1;
      this.#objectSequence += versions.length;
      return inTransaction(this.#connection, () => appendObjectVersions(this.#connection, versions, sequence));
    });
  }

  async putKnownObjects(known: KnownObjects): Promise<void> {
    await this.#runSerialized(() => replaceKnownObjects(this.#connection, known));
  }

  async cluster(): Promise<StoredCluster | undefined> {
    const objects = await this.#runSerialized(() =>
      rowsOf(this.#connection, 'SELECT * FROM object_versions ORDER BY sequence'),
    );
    const known = await this.#runSerialized(() => rowsOf(this.#connection, 'SELECT body FROM known_objects'));
    const versions = this.#readable.read(objects, (row) => `object ${row.key}`, objectVersionOfRow);
    const [last] = this.#readable.read(
      known,
      () => 'known objects',
      (row) => knownObjectsOf(String(row.body)),
    );
    return last && { versions, known: last };
  }

  async putNames({ put, removed }: { put: readonly StoredText[]; removed: readonly string[] }): Promise<void> {
    if (put.length + removed.length === 0) return;
    await this.#runSerialized(() =>
      inTransaction(this.#connection, async () => {
        const keys = listValue([...put.map(({ key }) => key), ...removed]);
        await this.#connection.run('DELETE FROM names WHERE key IN (SELECT unnest(?))', [keys]);
        const bodies = [listValue(put.map(({ key }) => key)), listValue(put.map(({ body }) => body))];
        if (put.length > 0) await this.#connection.run('INSERT INTO names SELECT unnest(?), unnest(?)', bodies);
      }),
    );
  }

  async names(): Promise<StoredText[]> {
    const rows = await this.#runSerialized(() => rowsOf(this.#connection, 'SELECT key, body FROM names'));
    return rows.map(({ key, body }) => ({ key: String(key), body: String(body) }));
  }

  async connections(query: ListQuery): Promise<Connection[]> {
    const { where, values } = connectionFilter(query);
    const rows = await this.#runSerialized(() =>
      rowsOf(
        this.#connection,
        `SELECT id, body FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY version DESC) AS newest FROM connections)
         WHERE newest = 1 AND NOT gone AND ${where} ORDER BY end_us DESC, id LIMIT ?`,
        [...values, query.last],
      ),
    );
    return this.#withFindingIds(this.#readable.read(rows, (row) => `connection ${row.id}`, connectionOf));
  }

  async findings(query: ListQuery): Promise<Finding[]> {
    const { where, values } = findingFilter(query);
    const rows = await this.#runSerialized(() =>
      rowsOf(
        this.#connection,
        `SELECT id, body FROM findings WHERE id IN (${fairSelection(where)}) ORDER BY last_us DESC, id`,
        [...values, query.last],
      ),
    );
    return this.#readable.read(rows, (row) => `finding ${row.id}`, findingOf);
  }

  async findingsOf(families: readonly FindingFamily[]): Promise<Finding[]> {
    if (families.length === 0) return [];
    const rows = await this.#runSerialized(() =>
      rowsOf(
        this.#connection,
        "SELECT id, body, member_counts FROM findings WHERE kind || ' ' || initiator IN (SELECT unnest(?))",
        [listValue(families.map(({ kind, initiator }) => `${kind} ${initiator}`))],
      ),
    );
    return this.#readable.read(
      rows,
      (row) => `finding ${row.id}`,
      (row) => ({
        ...findingOf(row),
        ...(row.member_counts !== null && { memberCounts: String(row.member_counts) }),
      }),
    );
  }

  async *batchesSince(sinceUs: number): AsyncIterable<StoredBatch> {
    const rowIds = await this.#runSerialized(() =>
      rowsOf(this.#connection, 'SELECT rowid AS row FROM batches WHERE end_us >= ? ORDER BY rowid', [wholeUs(sinceUs)]),
    );
    for (const { row } of rowIds) {
      const stored = await this.#runSerialized(() =>
        rowsOf(this.#connection, 'SELECT * FROM batches WHERE rowid = ?', [row as bigint]),
      );
      yield* this.#readable.read(stored, batchRowName, batchOfRow);
    }
  }

  async writeAgentRuns(runs: readonly AgentRun[]): Promise<void> {
    await this.#runSerialized(() => inTransaction(this.#connection, () => putAgentRuns(this.#connection, runs)));
  }

  async agentRuns(): Promise<AgentRun[]> {
    const rows = await this.#runSerialized(() => rowsOf(this.#connection, 'SELECT * FROM agent_runs'));
    return rows.map(agentRunOf);
  }

  async writeClock(clock: StoredClock): Promise<void> {
    await this.#runSerialized(() => inTransaction(this.#connection, () => putClock(this.#connection, clock)));
  }

  async clock(): Promise<StoredClock | undefined> {
    const [row] = await this.#runSerialized(() => rowsOf(this.#connection, 'SELECT * FROM clock'));
    return row && { nowUs: Number(row.now_us), wallOffsetUs: Number(row.wall_offset_us) };
  }

  async totals(): Promise<Awaited<ReturnType<Store['totals']>>> {
    const [row] = await this.#runSerialized(() =>
      rowsOf(
        this.#connection,
        `SELECT (SELECT count(*) FROM batches) AS batches,
          (SELECT coalesce(sum(records), 0) FROM batches) AS records,
          (SELECT coalesce(sum(packets), 0) FROM batches) AS packets,
          (SELECT count(DISTINCT id) FROM connections) AS connections,
          (SELECT count(*) FROM findings) AS findings`,
      ),
    );
    const of = (name: string) => Number(row![name]);
    return {
      batches: of('batches'),
      records: of('records'),
      packets: of('packets'),
      connections: of('connections'),
      findings: of('findings'),
      bytesOnDisk: await this.#bytesOnDisk(),
      unreadable: this.#readable.unreadable,
    };
  }

  async applyRetention(nowUs: number): Promise<void> {
    const beforeUs = nowUs - this.#options.maxAgeMs * 1000;
    await this.#deleteBefore(beforeUs);
    await this.#runSerialized(() => deleteOldRuns(this.#connection, beforeUs));
    await this.#runSerialized(() =>
      this.#connection.run(
        'DELETE FROM connections USING (SELECT id, max(version) AS newest FROM connections GROUP BY id) AS latest ' +
          'WHERE connections.id = latest.id AND (connections.version < latest.newest OR connections.gone)',
      ),
    );
    await this.#runSerialized(() => deleteOldVersions(this.#connection, nowUs));
    await this.#checkpoint();
    // Each pass deletes a share of the rest, so the loop ends.
    for (let pass = 0; pass < 20 && (await this.#bytesUsed()) > this.#options.maxBytes; pass++) {
      const [row] = await this.#runSerialized(() =>
        rowsOf(
          this.#connection,
          `SELECT min(cut) AS cut FROM (SELECT quantile_disc(end_us, ${shareDeleted}) AS cut FROM batches
            UNION ALL SELECT quantile_disc(end_us, ${shareDeleted}) FROM connections) WHERE cut IS NOT NULL`,
        ),
      );
      if (row?.cut === null || row?.cut === undefined) return;
      await this.#deleteBefore(Number(row.cut) + 1);
      await this.#checkpoint();
    }
  }

  async close(): Promise<void> {
    await this.#checkpoint();
    this.#batchStatements.connection.closeSync();
    this.#connection.closeSync();
    this.#instance.closeSync();
  }

  async #deleteBefore(us: number): Promise<void> {
    const before = [wholeUs(us)];
    for (const [table, column] of [
      ['batches', 'end_us'],
      ['connections', 'end_us'],
      ['findings', 'last_us'],
    ]) {
      await this.#runSerialized(() => this.#connection.run(`DELETE FROM ${table} WHERE ${column} < ?`, before));
    }
  }

  async #writeAll(changes: Partial<StoreChanges>): Promise<void> {
    const { connections = [], merged = [], findings = [], removedFindings = [] } = changes;
    const version = this.#version + 1;
    this.#version += connections.length + 1;
    await appendConnections(this.#connection, connections, version);
    if (merged.length > 0) {
      await this.#connection.run('INSERT INTO connections (id, version, gone) SELECT unnest(?), ?, true', [
        listValue([...merged]),
        BigInt(this.#version),
      ]);
    }
    await this.#putFindings(findings);
    if (removedFindings.length > 0) {
      await this.#connection.run('DELETE FROM findings WHERE id IN (SELECT unnest(?))', [
        listValue([...removedFindings]),
      ]);
    }
  }

  async #putFindings(findings: readonly Finding[]): Promise<void> {
    if (findings.length === 0) return;
    await this.#connection.run('TRUNCATE staged_findings');
    await appendFindings(this.#connection, findings);
    await this.#connection.run('INSERT OR REPLACE INTO findings FROM staged_findings');
  }

  /** The id that is stored with a connection may be of a finding that was rolled up later. */
  async #withFindingIds(connections: readonly Connection[]): Promise<Connection[]> {
    const idsOf = new Map(connections.map((one) => [one, findingIdsOf(one)]));
    const ids = [...new Set([...idsOf.values()].flat())];
    if (ids.length === 0) return [...connections];
    const rows = await this.#runSerialized(() =>
      rowsOf(this.#connection, 'SELECT id FROM findings WHERE id IN (SELECT unnest(?))', [listValue(ids)]),
    );
    const existing = new Set(rows.map(({ id }) => String(id)));
    return connections.map((one) => ({
      ...one,
      findingId: idsOf.get(one)!.find((id) => existing.has(id)) ?? one.findingId,
    }));
  }

  #runSerialized<Result>(run: () => Promise<Result>): Promise<Result> {
    return this.#statements.run(run);
  }

  /** While nothing else writes: DuckDB refuses a checkpoint during a transaction. */
  #checkpoint(): Promise<unknown> {
    return this.#batchStatements.run(() => this.#runSerialized(() => this.#connection.run('CHECKPOINT')));
  }

  /** Blocks in use. Free blocks stay in the file and are reused. */
  async #bytesUsed(): Promise<number> {
    const [row] = await this.#runSerialized(() => rowsOf(this.#connection, 'SELECT * FROM pragma_database_size()'));
    return Number(row!.used_blocks) * Number(row!.block_size);
  }

  async #bytesOnDisk(): Promise<number> {
    let bytes = 0;
    for (const path of [this.#options.path, `${this.#options.path}.wal`]) {
      bytes += await stat(path).then(
        (stats) => stats.size,
        () => 0,
      );
    }
    return bytes;
  }
}

type Row = Record<string, DuckDBValue>;

async function rowsOf(connection: DuckDBConnection, sql: string, values: DuckDBValue[] = []): Promise<Row[]> {
  const reader = await connection.runAndReadAll(sql, values);
  return reader.getRowObjects() as Row[];
}

/** JSON omits undefined values. The stored field `elsewhere` is the verdict of the declared policies. */
function connectionOf(row: Row): Connection {
  const { elsewhere, ...rest } = JSON.parse(String(row.body));
  checkTimes({ startUs: rest.startUs, endUs: rest.endUs });
  return { translated: undefined, ...rest, ...(elsewhere !== undefined && { declaredVerdict: elsewhere }) };
}

function findingOf(row: Row): Finding {
  const finding = JSON.parse(String(row.body)) as Finding;
  checkTimes({ firstSeenUs: finding.firstSeenUs, lastSeenUs: finding.lastSeenUs });
  return finding;
}

function batchRowName({ node, instance, sequence }: Row): string {
  return `batch ${sequence} of ${node}, instance ${instance}`;
}
