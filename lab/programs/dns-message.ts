// DNS queries and answers with compressed names (RFC 1035 4), for the lab's traffic and for tests.
import { isIP } from 'node:net';
import { addressBytes, parseAddress } from '../../model/address.ts';
import type { DnsZone } from '../topology/cluster.ts';

/** `data`: text is a name. */
export type DnsRecord = { owner: string; type: number; ttlSeconds: number; data: Buffer | string };
export type DnsMessage = { id: number; flags: number; name: string; type: number; answers: readonly DnsRecord[] };

export const dnsTypes = { A: 1, CNAME: 5, AAAA: 28 } as const;
const IN = 1;
const RECURSION_DESIRED = 0x0100;
/** Response, recursion desired and available. */
export const ANSWER = 0x8180;
const NO_SUCH_NAME = 3;
const ttlSeconds = 30;
const unaskedTtlSeconds = 86_400;
const maxAliases = 8;

/** `question`: a name, after `AAAA ` to query its IPv6 addresses. */
export function dnsQuery(question: string, id: number): Buffer {
  const words = question.split(' ');
  const type = words.length > 1 && words[0] === 'AAAA' ? dnsTypes.AAAA : dnsTypes.A;
  return dnsMessage({ id, flags: RECURSION_DESIRED, name: words.at(-1)!, type, answers: [] });
}

/** The answer of a server with this zone; undefined for an invalid query. */
export function dnsAnswer(query: Buffer, zone: DnsZone): Buffer | undefined {
  const labels: string[] = [];
  let at = 12;
  while (at < query.length && query[at] !== 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
    at += 1 + query[at]!;
  }
  if (query.length < at + 5) return undefined;
  const name = labels.join('.');
  const type = query.readUInt16BE(at + 1);
  const known = zone[name.toLowerCase()] !== undefined;
  const flags = known ? ANSWER : ANSWER | NO_SUCH_NAME;
  return dnsMessage({
    id: query.readUInt16BE(0),
    flags,
    name,
    type,
    answers: known ? answersOf(name, type, zone) : [],
  });
}

/** `NAME ADDRESS`: a reply with that answer. */
export function unaskedReply(text: string): Buffer {
  const [name = '', address = ''] = text.split(' ');
  const answer = addressRecord(name, address, unaskedTtlSeconds);
  return dnsMessage({ id: 1, flags: ANSWER, name, type: answer.type, answers: [answer] });
}

/** Over TCP a message follows its length. */
export function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

export function dnsMessage({ id, flags, name, type, answers }: DnsMessage): Buffer {
  const writer = new Writer();
  writer.words(id, flags, 1, answers.length, 0, 0);
  writer.name(name);
  writer.words(type, IN);
  for (const answer of answers) {
    writer.name(answer.owner);
    writer.words(answer.type, IN, answer.ttlSeconds >>> 16, answer.ttlSeconds & 0xffff);
    writer.data(answer.data);
  }
  return writer.bytes();
}

export function addressRecord(owner: string, address: string, ttl: number): DnsRecord {
  const type = isIP(address) === 4 ? dnsTypes.A : dnsTypes.AAAA;
  return { owner, type, ttlSeconds: ttl, data: Buffer.from(addressBytes(parseAddress(address)!)) };
}

function answersOf(name: string, type: number, zone: DnsZone): DnsRecord[] {
  const answers: DnsRecord[] = [];
  let owner = name;
  for (let i = 0; i < maxAliases; i++) {
    const known = zone[owner.toLowerCase()] ?? [];
    const alias = known.find((one) => isIP(one) === 0);
    if (alias === undefined) {
      const addresses = known.map((address) => addressRecord(owner, address, ttlSeconds));
      return [...answers, ...addresses.filter((answer) => answer.type === type)];
    }
    answers.push({ owner, type: dnsTypes.CNAME, ttlSeconds, data: alias });
    owner = alias;
  }
  return answers;
}

class Writer {
  #written = Buffer.alloc(0);
  /** Offset of each name, and of each name's end, already written. */
  readonly #offsets = new Map<string, number>();

  bytes(): Buffer {
    return this.#written;
  }

  words(...values: number[]): void {
    for (const value of values) this.#put(Buffer.of(value >>> 8, value & 0xff));
  }

  name(name: string): void {
    let rest = name;
    while (rest !== '') {
      const offset = this.#offsets.get(rest);
      if (offset !== undefined) {
        this.words(0xc000 | offset);
        return;
      }
      if (this.#written.length < 0x4000) this.#offsets.set(rest, this.#written.length);
      const [label = ''] = rest.split('.', 1);
      this.#put(Buffer.of(label.length), Buffer.from(label, 'latin1'));
      rest = rest.slice(label.length + 1);
    }
    this.#put(Buffer.of(0));
  }

  data(data: DnsRecord['data']): void {
    const lengthAt = this.#written.length;
    this.words(0);
    if (typeof data === 'string') this.name(data);
    else this.#put(data);
    this.#written.writeUInt16BE(this.#written.length - lengthAt - 2, lengthAt);
  }

  #put(...parts: Buffer[]): void {
    this.#written = Buffer.concat([this.#written, ...parts]);
  }
}
