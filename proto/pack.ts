// Serializes a batch's records and names. Records are written here and not by protobufjs, which makes an object of
// every number: with 100,000 records, that is more memory than the agent has.
import type { FlowBatch, WireDnsNames, WireRecords } from './wire.ts';
import { flowIngestDefinition } from './wire.ts';

/** The serialized fields `records` and `names` of a FlowBatch, which take a fifth of the memory of columns. */
export type PackedBatch = Buffer;

type Numbers = ArrayLike<number>;

/** Field numbers of flow.proto; a test compares them. */
const recordsField = 7;
const blobs = { ipv4: 1, ipv6: 2, protocol: 14, marks: 15, flagsForward: 25, flagsReverse: 26, moreMarks: 31 } as const;
const columns = {
  initiator: 10,
  responder: 11,
  initiatorPort: 12,
  responderPort: 13,
  interfaceIndex: 16,
  span: 19,
  age: 20,
  packetsForward: 21,
  packetsReverse: 22,
  bytesForward: 23,
  bytesReverse: 24,
  synRetries: 27,
  rttUs: 28,
  moreSegments: 29,
  translation: 30,
} as const;
const isnField = 32;
const baseUsField = 4;
const firstField = 18;
const lengthDelimited = 2;
/** Most bytes of a field's tag and length. */
const maxFieldHeaderBytes = 10;

let scratch = Buffer.alloc(0);
let position = 0;

export function packBatch(records: WireRecords, names: WireDnsNames | null): PackedBatch {
  const packedNames = flowIngestDefinition().Stream.requestSerialize({ names } as FlowBatch);
  position = 0;
  writeRecords(records);
  const length = position;
  ensureCapacity(maxFieldHeaderBytes);
  writeVarint(recordsField * 8 + lengthDelimited);
  writeVarint(length);
  return Buffer.concat([scratch.subarray(length, position), scratch.subarray(0, length), packedNames]);
}

/** Appends the packed fields to the envelope: protobuf reads two concatenated messages as one. */
export function serializeWithPacked(envelope: FlowBatch, packed: PackedBatch): Buffer {
  return Buffer.concat([flowIngestDefinition().Stream.requestSerialize(envelope), packed]);
}

function writeRecords(records: WireRecords): void {
  ensureCapacity(maxFieldHeaderBytes * 2);
  writeVarint(baseUsField * 8);
  writeVarint(records.baseUs);
  for (const [name, field] of Object.entries(blobs)) writeBlob(field, records[name as keyof typeof blobs]);
  for (const [name, field] of Object.entries(columns)) writeColumn(field, records[name as keyof typeof columns]);
  writeColumn(firstField, records.first.map(zigzag));
  writeFixed32Column(isnField, records.isn);
}

function writeBlob(field: number, bytes: Uint8Array): void {
  ensureCapacity(bytes.length + maxFieldHeaderBytes);
  writeVarint(field * 8 + lengthDelimited);
  writeVarint(bytes.length);
  scratch.set(bytes, position);
  position += bytes.length;
}

/** hot, once a number */
function writeColumn(field: number, values: Numbers): void {
  if (values.length === 0) return;
  let bytes = 0;
  for (let i = 0; i < values.length; i++) bytes += varintBytes(values[i]!);
  ensureCapacity(bytes + maxFieldHeaderBytes);
  writeVarint(field * 8 + lengthDelimited);
  writeVarint(bytes);
  for (let i = 0; i < values.length; i++) writeVarint(values[i]!);
}

function writeFixed32Column(field: number, values: Numbers): void {
  if (values.length === 0) return;
  ensureCapacity(values.length * 4 + maxFieldHeaderBytes);
  writeVarint(field * 8 + lengthDelimited);
  writeVarint(values.length * 4);
  for (let i = 0; i < values.length; i++) position = scratch.writeUInt32LE(values[i]!, position);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

/** Drops a fraction; writes 0 for a negative number. */
function writeVarint(value: number): void {
  let rest = Math.max(0, value);
  while (rest >= 2 ** 31) {
    scratch[position++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 128) {
    scratch[position++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  scratch[position++] = rest;
}

/** sint32 */
function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}

function ensureCapacity(bytes: number): void {
  if (position + bytes <= scratch.length) return;
  const larger = Buffer.alloc(Math.max(scratch.length * 2, position + bytes));
  scratch.copy(larger, 0, 0, position);
  scratch = larger;
}
