// Messages of earlier releases decode as before, and their store files open and give the same answers.
// Each folder beside this file is one release; its README.md says which commit wrote it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { workloadKey } from '../../collector/findings/finding-id.ts';
import { openDuckdb } from '../../collector/store/duckdb/duckdb.ts';
import { connectionJson, findingJson } from '../../model/json.ts';
import { decodeRecords } from '../../proto/decode.ts';
import { decodeDnsNames } from '../../proto/dns-names.ts';
import { type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';

const here = new URL('.', import.meta.url).pathname;
const folders = (path: string) =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

/** A message as JSON, with its records and names decoded. JSON omits undefined values. */
function decodedMessage(bytes: Buffer): unknown {
  const batch = flowIngestDefinition().Stream.requestDeserialize(bytes);
  const records = batch.records === null ? null : decodeRecords(batch.records, 100_000);
  return JSON.parse(JSON.stringify({ ...batch, records, names: namesOf(batch) }));
}

/** 0.1.0 had the answers only. */
function namesOf(batch: FlowBatch): unknown {
  const decoded = decodeDnsNames(batch.names);
  return 'report' in decoded ? { names: decoded.report.answers } : decoded;
}

function* messagesOf(path: string): Generator<Buffer> {
  const bytes = readFileSync(path);
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    yield bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
}

/** Renamed fields of messages: name in 0.1.0, name now. Their field numbers are the same. */
const renamedFields = [
  ['books', 'accounting'],
  ['setAside', 'ignored'],
  ['wholeSinceUs', 'gapFreeSinceUs'],
  ['unproven', 'deliveryUnproven'],
] as const;

/** Fields that later releases added, as they are decoded from a message without them. */
const addedFields = {
  message: { clock: null },
  state: { watchingSinceUs: 0, stopped: false, coverage: null },
  record: { bothSentSyn: false, responderFirst: false },
};

function messageLinesOf(path: string): unknown[] {
  let text = readFileSync(path, 'utf8');
  for (const [old, now] of renamedFields) text = text.replaceAll(`"${old}":`, `"${now}":`);
  const messages = jsonLines(text) as { records: { records: object[] } | null; state: object | null }[];
  for (const message of messages) {
    Object.assign(message, addedFields.message);
    if (message.state !== null) Object.assign(message.state, addedFields.state);
    for (const record of message.records?.records ?? []) Object.assign(record, addedFields.record);
  }
  return messages;
}

function linesOf(path: string): unknown[] {
  return jsonLines(readFileSync(path, 'utf8'));
}

function jsonLines(text: string): unknown[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const byId = <T extends { id: string }>(items: T[]): T[] => items.sort((a, b) => (a.id < b.id ? -1 : 1));
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

for (const release of folders(here)) {
  for (const run of folders(join(here, release))) {
    const folder = join(here, release, run);

    t.test(`messages of agents of ${release} decode as they did then: ${run}`, async (t) => {
      const files = readdirSync(folder).filter((name) => /^wire-.*\.bin$/.test(name));
      t.ok(files.length > 0, 'there are recorded messages');
      for (const file of files) {
        const messages = [...messagesOf(join(folder, file))].map(decodedMessage);
        t.strictSame(messages, messageLinesOf(join(folder, file.replace('.bin', '.jsonl'))), file);
      }
    });

    t.test(`the store of ${release} opens and gives the same answers: ${run}`, async (t) => {
      const copy = mkdtempSync(join(tmpdir(), 'waybill-compat-'));
      t.teardown(() => rmSync(copy, { recursive: true }));
      const path = join(copy, 'waybill.duckdb');
      writeFileSync(path, gunzipSync(readFileSync(join(folder, 'waybill.duckdb.gz'))));
      const store = await openDuckdb({ path, memoryLimitBytes: 2 ** 28, maxAgeMs: 2 ** 50, maxBytes: 2 ** 40 });
      t.teardown(() => store.close());
      const connections = byId((await store.connections({ last: 10_000 })).map(connectionJson));
      const findings = byId((await store.findings({ last: 10_000 })).map(findingJson));
      t.strictSame(connections.map(plain), linesOf(join(folder, 'connections.jsonl')));
      t.strictSame(findings.map(plain), linesOf(join(folder, 'findings.jsonl')));
      const families = (await store.findings({ last: 10_000 })).map(({ kind, initiator }) => ({
        kind,
        initiator: workloadKey(initiator),
      }));
      t.equal((await store.findingsOf(families)).length, findings.length, 'every finding is found by its family');
      let records = 0;
      for await (const batch of store.batchesSince(0)) records += batch.records.length;
      t.equal((await store.totals()).records, records, 'every stored batch is read');
    });
  }
}
