// Reads DNS answers (RFC 1035 4): the addresses of the queried name, and their time to live. All loops are bounded,
// because anybody can send such a message. From a truncated message, the complete answers are read.
import { type Address, addressFromBytes } from '../../../model/address.ts';
import { TCP } from '../../../model/protocol.ts';
import { type Bytes, word16, word32 } from './packet.ts';

/** `name` is the queried name, not an alias: lower case, without the last dot. */
export type OnAnswer = (name: string, address: Address, ttlSeconds: number) => void;

export const DNS = 53;

const headerBytes = 12;
const RESPONSE = 0x8000;
/**
 * The bits for response, opcode and response code. In an answer without error to a standard query, only RESPONSE is
 * set.
 */
const FLAGS_MASK = 0xf80f;
const IN = 1;
const types = { a: 1, cname: 5, aaaa: 28 };
const maxRecords = 64;
const maxAliases = 16;
const maxNameBytes = 253;
const maxLabelBytes = 63;

/**
 * `bytes` is the payload, or the beginning of the payload, of one datagram or one segment. Over TCP, each message
 * begins with its length (RFC 1035 4.2.2). A segment that begins within a message is ignored. Never throws.
 */
export function readDnsAnswers(protocol: number, bytes: Bytes, emit: OnAnswer): void {
  if (protocol !== TCP) {
    message(bytes, 0, bytes.length, emit);
    return;
  }
  let start = 0;
  while (bytes.length - start >= 2 + headerBytes) {
    const length = word16(bytes, start);
    if (length < headerBytes) return;
    message(bytes, start + 2, Math.min(bytes.length, start + 2 + length), emit);
    start += 2 + length;
  }
}

function message(bytes: Bytes, start: number, end: number, emit: OnAnswer): void {
  if (end - start < headerBytes || (word16(bytes, start + 2) & FLAGS_MASK) !== RESPONSE) return;
  if (word16(bytes, start + 4) !== 1) return;
  const question = nameAt(bytes, start, start + headerBytes, end);
  if (question.name === undefined || end - question.next < 4 || word16(bytes, question.next + 2) !== IN) return;
  const queriedName = question.name;
  const answers = answerRecords(bytes, start, question.next + 4, end, word16(bytes, start + 6));
  const ttls = ttlsByName(queriedName, answers);
  for (const answer of answers) {
    const ttl = ttls.get(answer.owner);
    if (answer.address !== undefined && ttl !== undefined) emit(queriedName, answer.address, Math.min(ttl, answer.ttl));
  }
}

type AnswerRecord = { owner: string; ttl: number; address: Address | undefined; alias: string | undefined };

/** The complete records of the answer section, in class IN. */
function answerRecords(bytes: Bytes, start: number, first: number, end: number, count: number): AnswerRecord[] {
  const answers: AnswerRecord[] = [];
  let at = first;
  for (let i = 0; i < Math.min(count, maxRecords); i++) {
    const owner = nameAt(bytes, start, at, end);
    if (owner.next < 0 || end - owner.next < 10) break;
    const data = owner.next + 10;
    const dataEnd = data + word16(bytes, owner.next + 8);
    if (dataEnd > end) break;
    at = dataEnd;
    if (owner.name === undefined || word16(bytes, owner.next + 2) !== IN) continue;
    const type = word16(bytes, owner.next);
    const ttl = word32(bytes, owner.next + 4);
    answers.push({
      owner: owner.name,
      ttl: ttl > 0x7fffffff ? 0 : ttl, // RFC 2181 8
      address: addressAt(bytes, data, dataEnd, type),
      alias: type === types.cname ? nameAt(bytes, start, data, dataEnd).name : undefined,
    });
  }
  return answers;
}

/** The queried name and the names that it is an alias of, each with its time to live. */
function ttlsByName(queriedName: string, answers: readonly AnswerRecord[]): Map<string, number> {
  const ttls = new Map([[queriedName, Number.POSITIVE_INFINITY]]);
  let name = queriedName;
  while (ttls.size <= maxAliases) {
    const next = answers.find((one) => one.owner === name && one.alias !== undefined);
    if (next === undefined || ttls.has(next.alias!)) break;
    ttls.set(next.alias!, Math.min(ttls.get(name)!, next.ttl));
    name = next.alias!;
  }
  return ttls;
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
