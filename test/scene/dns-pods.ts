// Pods that send DNS queries and get replies, as an agent's sources report them. Times are seconds after t0.
import type { DnsAnswers } from '../../agent/capture/dns-answers.ts';
import type { DnsPacket, PodDirection } from '../../agent/capture/source.ts';
import { ANSWER, dnsMessage, dnsQuery, dnsTypes, withLength } from '../../lab/programs/dns-message.ts';
import type { DnsReport } from '../../model/dns-answer.ts';
import { TCP, UDP } from '../../model/protocol.ts';
import { ACK, PSH, SYN } from '../../model/record.ts';
import { answer } from './dns.ts';
import { ip, second, t0 } from './records.ts';

export const clusterDns = ip('10.96.0.10');
export const pod = ip('10.0.1.2');

export type Exchange = {
  interfaceIndex: number;
  client: string;
  port: number;
  server: string;
  over: 'UDP' | 'TCP';
  /** TCP only. */
  sequence: number;
};

const usual: Exchange = {
  interfaceIndex: 7,
  client: pod,
  port: 40_000,
  server: clusterDns,
  over: 'UDP',
  sequence: 1001,
};

export class DnsPods {
  readonly #answers: DnsAnswers;

  /** Watches interface 7, which is new. */
  constructor(answers: DnsAnswers) {
    this.#answers = answers;
    this.watch(7);
  }

  watch(interfaceIndex: number, isNew = true, atSeconds = 0): void {
    this.#answers.receive({ type: 'watched', interfaceIndex, atUs: t0 + atSeconds * second, isNew });
  }

  missed(interfaceIndex: number, atSeconds: number, what: 'queries' | 'queries-and-forgeries' = 'queries'): void {
    this.#answers.receive({ type: 'missed', interfaceIndex, sinceUs: t0 + atSeconds * second, what });
  }

  /** The pod sends itself a reply with the server's address. */
  forge(atSeconds: number, name: string, answers: readonly string[], id = 7, exchange: Partial<Exchange> = {}): void {
    const message = replyOf(name, answers, id);
    const payload = exchange.over === 'TCP' ? withLength(message) : message;
    const packet = this.#packetOf(atSeconds, 'from-pod', payload, PSH | ACK, exchange);
    this.#answers.receive({ ...packet, type: 'sent-as-server' });
  }

  /** `question`: a name, after `AAAA ` to query its IPv6 addresses. */
  ask(atSeconds: number, question: string, id = 7, exchange: Partial<Exchange> = {}): void {
    this.send(atSeconds, 'from-pod', dnsQuery(question, id), exchange);
  }

  /** Each answer is `OWNER TTL VALUE`. */
  reply(atSeconds: number, name: string, answers: readonly string[], id = 7, exchange: Partial<Exchange> = {}): void {
    this.send(atSeconds, 'to-pod', replyOf(name, answers, id), exchange);
  }

  /** `error`: RFC 1035 4.1.1; 3 is that there is no such name. */
  refuse(atSeconds: number, name: string, id = 7, error = 3): void {
    this.send(atSeconds, 'to-pod', dnsMessage({ id, flags: ANSWER | error, name, type: dnsTypes.A, answers: [] }));
  }

  /** The server's SYN-ACK: its first byte of data has the number `sequence` + 1. */
  accept(atSeconds: number, exchange: Partial<Exchange> & { sequence: number }): void {
    this.#packet(atSeconds, 'to-pod', Buffer.alloc(0), SYN | ACK, { ...exchange, over: 'TCP' });
  }

  /** A datagram with the message, or a segment with its length before it. */
  send(atSeconds: number, direction: PodDirection, message: Buffer, exchange: Partial<Exchange> = {}): void {
    const payload = exchange.over === 'TCP' ? withLength(message) : message;
    this.segment(atSeconds, direction, payload, exchange);
  }

  segment(atSeconds: number, direction: PodDirection, payload: Buffer, exchange: Partial<Exchange> = {}): void {
    this.#packet(atSeconds, direction, payload, PSH | ACK, exchange);
  }

  /** One line for each item: what the collector gets. */
  report(atSeconds: number, max = 100): string[] {
    return linesOf(this.#answers.drain(max, t0 + atSeconds * second));
  }

  #packet(
    atSeconds: number,
    direction: PodDirection,
    payload: Buffer,
    flags: number,
    exchange: Partial<Exchange>,
  ): void {
    this.#answers.receive({ type: 'packet', ...this.#packetOf(atSeconds, direction, payload, flags, exchange) });
  }

  #packetOf(
    atSeconds: number,
    direction: PodDirection,
    payload: Buffer,
    flags: number,
    exchange: Partial<Exchange>,
  ): DnsPacket {
    const { interfaceIndex, client, port, server, over, sequence } = { ...usual, ...exchange };
    return {
      interfaceIndex,
      direction,
      protocol: over === 'TCP' ? TCP : UDP,
      client: ip(client),
      clientPort: port,
      server: ip(server),
      tcpFlags: over === 'TCP' ? flags : 0,
      sequence: over === 'TCP' ? sequence : 0,
      payload,
      timeUs: t0 + atSeconds * second,
    };
  }
}

export function replyOf(name: string, answers: readonly string[], id: number, type: number = dnsTypes.A): Buffer {
  const message = answer(name, ...answers);
  message.writeUInt16BE(id, 0);
  message.writeUInt16BE(type, 12 + name.length + 2);
  return message;
}

/** Watched interfaces as `7 watched from 0`; times are seconds after t0. */
export function linesOf({ answers, withdrawn, unanswered, watched }: DnsReport): string[] {
  const at = (us: number) => (us - t0) / second;
  return [
    ...answers.map(({ name, address, ttlSeconds, atUs, origin }) => {
      const { interfaceIndex, server, asked, transport } = origin!;
      const from = server === asked ? server : `${server} for ${asked}`;
      return `${interfaceIndex} ${name} ${address} ${ttlSeconds} s at ${at(atUs)} from ${from} ${transport}`;
    }),
    ...withdrawn.map(({ name, address, atUs, origin }) => {
      return `${origin.interfaceIndex} withdrawn ${name} ${address} at ${at(atUs)} from ${origin.server}`;
    }),
    ...unanswered.map(({ interfaceIndex, name, atUs, open }) =>
      open ? `${interfaceIndex} unanswered ${name} at ${at(atUs)}` : `${interfaceIndex} answered ${name}`,
    ),
    ...watched.map(({ interfaceIndex, sinceUs, isNew, untilUs }) => {
      const until = untilUs === 0 ? '' : ` until ${at(untilUs)}`;
      return `${interfaceIndex} watched from ${at(sinceUs)}${until}${isNew ? '' : ', existed before'}`;
    }),
  ];
}
