// DNS over TCP (RFC 1035 4.2.2): each message follows its length. A segment counts only if it is known that a message begins
// with it. Otherwise a part of a longer reply could pass for a message of its own.

import { SYN } from '../../model/record.ts';
import { type DnsMessage, dnsHeaderBytes, readDnsMessage } from './decode/dns.ts';
import { word16 } from './decode/packet.ts';
import type { DnsPacket } from './source.ts';

const lengthBytes = 2;

/** The messages of a segment that begins with one. `rest` is how many bytes the last message continues after it. */
export function readSegment(payload: Uint8Array): { messages: DnsMessage[]; rest: number | 'unknown' } {
  const messages: DnsMessage[] = [];
  let at = 0;
  while (at < payload.length) {
    if (payload.length - at < lengthBytes) return { messages, rest: 'unknown' };
    const length = word16(payload, at);
    if (length < dnsHeaderBytes) return { messages, rest: 'unknown' };
    const end = at + lengthBytes + length;
    if (end > payload.length) return { messages, rest: end - payload.length };
    messages.push(readDnsMessage(payload, at + lengthBytes, end));
    at = end;
  }
  return { messages, rest: 0 };
}

/** What servers send to one pod over TCP. */
export class DnsStreams {
  readonly #max: number;
  /** By connection: the sequence number at which the next message begins. */
  readonly #nextMessage = new Map<string, number>();

  /** Follows at most `max` connections: those that began last. */
  constructor(max: number) {
    this.#max = max;
  }

  /** The messages that are whole in this segment of a server. */
  read({ client, clientPort, server, tcpFlags, sequence, payload }: DnsPacket): DnsMessage[] {
    const key = `${client} ${clientPort} ${server}`;
    const begins = (tcpFlags & SYN) !== 0;
    const first = begins ? (sequence + 1) >>> 0 : sequence;
    if (begins) this.#begin(key, first);
    if (payload.length === 0 || this.#nextMessage.get(key) !== first) return [];
    const { messages, rest } = readSegment(payload);
    if (rest === 'unknown') this.#nextMessage.delete(key);
    else this.#nextMessage.set(key, (first + payload.length + rest) >>> 0);
    return messages;
  }

  #begin(key: string, sequence: number): void {
    this.#nextMessage.delete(key);
    this.#nextMessage.set(key, sequence);
    if (this.#nextMessage.size > this.#max) this.#nextMessage.delete(this.#nextMessage.keys().next().value!);
  }
}
