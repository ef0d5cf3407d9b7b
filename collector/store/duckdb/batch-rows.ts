// A batch as a row of the table `batches`: its records as received, as a FlowBatch message.
import type { DuckDBAppender, DuckDBValue } from '@duckdb/node-api';
import { type DnsReport, emptyDnsReport } from '../../../model/dns-answer.ts';
import { batchFault } from '../../../proto/check-batch.ts';
import { decodeRecords } from '../../../proto/decode.ts';
import { decodeDnsNames, encodeDnsNames } from '../../../proto/dns-names.ts';
import { encodeRecords } from '../../../proto/encode.ts';
import { type FlowBatch, flowIngestDefinition } from '../../../proto/wire.ts';
import type { StoredBatch } from '../store.ts';
import { wholeUs } from './schema.ts';

const { requestSerialize, requestDeserialize } = flowIngestDefinition().Stream;

export type BatchRow = {
  node: string;
  instance: string;
  sequence: bigint;
  clockOffsetUs: bigint;
  endUs: bigint;
  records: number;
  packets: bigint;
  pods: string;
  body: Uint8Array;
};

/** Throws if a value of the batch cannot be stored. */
export function batchRowOf(batch: StoredBatch): BatchRow {
  const { node, instance, sequence, clockOffsetUs, records, dns } = batch;
  const lastUs = records.reduce((latest, record) => Math.max(latest, record.lastUs), 0);
  const endUs = dnsEndUs(dns, lastUs) + clockOffsetUs;
  const packets = records.reduce((sum, record) => sum + record.frames, 0);
  const pods: Record<number, string> = {};
  for (const record of records) if (record.podUid !== '') pods[record.interfaceIndex] = record.podUid;
  const message: FlowBatch = {
    node,
    instance,
    sequence,
    sentUs: 0,
    coveredUntilUs: 0,
    state: null,
    records: encodeRecords(records),
    names: encodeDnsNames(dns),
  };
  return {
    node,
    instance,
    sequence: BigInt(sequence),
    clockOffsetUs: wholeUs(clockOffsetUs),
    endUs: wholeUs(endUs),
    records: records.length,
    packets: BigInt(packets),
    pods: JSON.stringify(pods),
    body: requestSerialize(message),
  };
}

function dnsEndUs({ answers, withdrawn, unanswered, watched }: DnsReport, fromUs: number): number {
  let endUs = fromUs;
  for (const { atUs } of [...answers, ...withdrawn, ...unanswered]) endUs = Math.max(endUs, atUs);
  for (const { sinceUs, untilUs } of watched) endUs = Math.max(endUs, sinceUs, untilUs);
  return endUs;
}

export function appendBatchRow(appender: DuckDBAppender, row: BatchRow): void {
  appender.appendVarchar(row.node);
  appender.appendVarchar(row.instance);
  appender.appendBigInt(row.sequence);
  appender.appendBigInt(row.clockOffsetUs);
  appender.appendBigInt(row.endUs);
  appender.appendInteger(row.records);
  appender.appendBigInt(row.packets);
  appender.appendVarchar(row.pods);
  appender.appendBlob(row.body);
  appender.endRow();
}

/** Throws if the row is not a valid batch: an older version accepted values that are not in range. */
export function batchOfRow(row: Record<string, DuckDBValue>): StoredBatch {
  const message = requestDeserialize(Buffer.from((row.body as { bytes: Uint8Array }).bytes));
  const clockOffsetUs = Number(row.clock_offset_us);
  // The row has the time of its last record instead of the time of sending.
  const fault = batchFault({ ...message, sentUs: Number(row.end_us) - clockOffsetUs });
  if (fault !== undefined) throw new Error(fault);
  const decodedRecords = decodeRecords(message.records!, Number.POSITIVE_INFINITY);
  if ('fault' in decodedRecords) throw new Error(decodedRecords.fault);
  const decodedNames = decodeDnsNames(message.names);
  const pods = JSON.parse(String(row.pods)) as Record<number, string>;
  for (const record of decodedRecords.records) record.podUid = pods[record.interfaceIndex] ?? '';
  return {
    node: String(row.node),
    instance: String(row.instance),
    sequence: Number(row.sequence),
    clockOffsetUs,
    records: decodedRecords.records,
    dns: 'report' in decodedNames ? decodedNames.report : emptyDnsReport,
  };
}
