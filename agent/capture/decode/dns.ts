// Reads DNS messages (RFC 1035 4): the question of a query, and the addresses that a reply gives the queried name, with
// their time to live. All loops are bounded, because anybody can send such a message.
import { type Address, addressFromBytes } from '../../../model/address.ts';
import { type Bytes, word16, word32 } from './packet.ts';

/** `name` is the queried name, not an alias: lower case, without the last dot. `type` is the record type. */
export type DnsQuestion = { name: string; type: number };
export type AnsweredAddress = { address: Address; ttlSeconds: number };

/**
 * `other`: a readable message that cannot name an address, such as one of another class. `unreadable`: malformed, or cut
 * within the question. `serverFailed`: the server says nothing about the name (SERVFAIL). `complete` is false if the reply may give the name more addresses: it is cut or too long, or gives
 * addresses in a record type that is not read.
 */
export type DnsMessage =
  | ({ kind: 'query'; id: number } & DnsQuestion)
  | ({
      kind: 'reply';
      id: number;
      addresses: readonly AnsweredAddress[];
      serverFailed: boolean;
      complete: boolean;
    } & DnsQuestion)
  | { kind: 'other' }
  | { kind: 'unreadable' };

export const DNS = 53;

export const dnsHeaderBytes = 12;
const RESPONSE = 0x8000;
const OPCODE_MASK = 0x7800;
const ERROR_MASK = 0x000f;
const SERVER_FAILURE = 2;
const IN = 1;
const types = { a: 1, cname: 5, aaaa: 28, svcb: 64, https: 65, any: 255 };
/** Their records give addresses that are not read (RFC 9460 7.3, RFC 8482). */
const typesWithOtherAddresses: ReadonlySet<number> = new Set([types.svcb, types.https, types.any]);
const maxRecords = 64;
const maxAliases = 16;
const maxNameBytes = 253;
const maxLabelBytes = 63;

const other: DnsMessage = { kind: 'other' };
const unreadable: DnsMessage = { kind: 'unreadable' };

/** The message, or the beginning of it, from `start` to `end`. From a cut reply, the whole records are read. Never throws. */
export function readDnsMessage(bytes: Bytes, start: number, end: number): DnsMessage {
  if (end - start < dnsHeaderBytes) return unreadable;
  const id = word16(bytes, start);
  const flags = word16(bytes, start + 2);
  if ((flags & OPCODE_MASK) !== 0) return other;
  if (word16(bytes, start + 4) !== 1) return unreadable;
  const question = nameAt(bytes, start, start + dnsHeaderBytes, end);
  if (question.next < 0 || end - question.next < 4) return unreadable;
  if (question.name === undefined || word16(bytes, question.next + 2) !== IN) return other;
  const { name } = question;
  const type = word16(bytes, question.next);
  if ((flags & RESPONSE) === 0) return { kind: 'query', id, name, type };
  const error = flags & ERROR_MASK;
  const serverFailed = error === SERVER_FAILURE;
  if (error !== 0) return { kind: 'reply', id, name, type, addresses: [], serverFailed, complete: true };
  const count = word16(bytes, start + 6);
  const { records, whole } = answerRecords(bytes, start, question.next + 4, end, count);
  const { ttls, followed } = ttlsByName(name, records);
  const addresses: AnsweredAddress[] = [];
  for (const { owner, address, ttl } of records) {
    const chainTtl = ttls.get(owner);
    if (address !== undefined && chainTtl !== undefined) {
      addresses.push({ address, ttlSeconds: Math.min(chainTtl, ttl) });
    }
  }
  const complete = whole && followed && !(count > 0 && typesWithOtherAddresses.has(type));
  return { kind: 'reply', id, name, type, addresses, serverFailed, complete };
}

type AnswerRecord = { owner: string; ttl: number; address: Address | undefined; alias: string | undefined };

/** The complete records of the answer section, in class IN. `whole`: there are no others that name an address. */
function answerRecords(
  bytes: Bytes,
  start: number,
  first: number,
  end: number,
  count: number,
): { records: AnswerRecord[]; whole: boolean } {
  const records: AnswerRecord[] = [];
  let whole = true;
  let at = first;
  for (let i = 0; i < count; i++) {
    if (i === maxRecords) return { records, whole: false };
    const owner = nameAt(bytes, start, at, end);
    if (owner.next < 0 || end - owner.next < 10) return { records, whole: false };
    const data = owner.next + 10;
    const dataEnd = data + word16(bytes, owner.next + 8);
    if (dataEnd > end) return { records, whole: false };
    at = dataEnd;
    if (owner.name === undefined || word16(bytes, owner.next + 2) !== IN) continue;
    const type = word16(bytes, owner.next);
    const ttl = word32(bytes, owner.next + 4);
    const alias = type === types.cname ? nameAt(bytes, start, data, dataEnd).name : undefined;
    // An alias that is not printable is not followed.
    if (type === types.cname && alias === undefined) whole = false;
    records.push({
      owner: owner.name,
      ttl: ttl > 0x7fffffff ? 0 : ttl, // RFC 2181 8
      address: addressAt(bytes, data, dataEnd, type),
      alias,
    });
  }
  return { records, whole };
}

/** The queried name and the names that it is an alias of, each with its time to live. `followed`: the chain has no more. */
function ttlsByName(
  queriedName: string,
  records: readonly AnswerRecord[],
): { ttls: Map<string, number>; followed: boolean } {
  const ttls = new Map([[queriedName, Number.POSITIVE_INFINITY]]);
  let name = queriedName;
  for (;;) {
    const next = records.find((one) => one.owner === name && one.alias !== undefined);
    if (next === undefined || ttls.has(next.alias!)) return { ttls, followed: true };
    if (ttls.size > maxAliases) return { ttls, followed: false };
    ttls.set(next.alias!, Math.min(ttls.get(name)!, next.ttl));
    name = next.alias!;
  }
}

function addressAt(bytes: Bytes, at: number, end: number, type: number): Address | undefined {
  const length = type === types.a ? 4 : type === types.aaaa ? 16 : 0;
  return length > 0 && end - at === length ? addressFromBytes(bytes.subarray(at, end)) : undefined;
}

/**
 * `next` is the offset after the name, -1 if the name is malformed. `name` is undefined if it is malformed or not
 * printable.
 */
type ReadName = { name: string | undefined; next: number };
const malformedName: ReadName = { name: undefined, next: -1 };

/** A pointer must lead to an offset before all bytes read so far, so that it cannot loop. */
function nameAt(bytes: Bytes, start: number, first: number, end: number): ReadName {
  let text = '';
  let isPrintable = true;
  let next = -1;
  let at = first;
  let earliest = first;
  for (;;) {
    if (at >= end) return malformedName;
    const length = bytes[at]!;
    if (length === 0) {
      return { name: isPrintable && text !== '' ? text : undefined, next: next < 0 ? at + 1 : next };
    }
    if (length > maxLabelBytes) {
      if (length < 0xc0 || end - at < 2) return malformedName;
      if (next < 0) next = at + 2;
      at = start + (word16(bytes, at) & 0x3fff);
      if (at >= earliest) return malformedName;
      earliest = at;
      continue;
    }
    const label = labelAt(bytes, at + 1, Math.min(end, at + 1 + length));
    isPrintable &&= label !== undefined;
    text += text === '' ? label : `.${label}`;
    at += 1 + length;
    if (text.length > maxNameBytes) return malformedName;
  }
}

/** Lower case; undefined if it has a dot, a backslash or a character that is not printable ASCII. */
function labelAt(bytes: Bytes, at: number, end: number): string | undefined {
  let text = '';
  for (let i = at; i < end; i++) {
    const code = bytes[i]!;
    if (code <= 0x20 || code >= 0x7f || code === 0x2e || code === 0x5c) return undefined;
    text += String.fromCharCode(code >= 0x41 && code <= 0x5a ? code + 0x20 : code);
  }
  return text;
}
