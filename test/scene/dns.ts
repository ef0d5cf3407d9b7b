// One-line builders for DNS messages, and the answers that the agent reads in them.
import { readDnsMessage } from '../../agent/capture/decode/dns.ts';
import { readSegment } from '../../agent/capture/dns-streams.ts';
import { ANSWER, addressRecord, type DnsRecord, dnsMessage, dnsTypes } from '../../lab/programs/dns-message.ts';

/** `www.example.com 203.0.113.10 300`. */
export function read(bytes: Uint8Array, over: 'UDP' | 'TCP' = 'UDP'): string[] {
  const messages = over === 'TCP' ? readSegment(bytes).messages : [readDnsMessage(bytes, 0, bytes.length)];
  return messages.flatMap((message) =>
    message.kind === 'reply'
      ? message.addresses.map(({ address, ttlSeconds }) => `${message.name} ${address} ${ttlSeconds}`)
      : [],
  );
}

/** Each answer is `OWNER TTL VALUE`. A value is an address, or the target of a CNAME. */
export function answer(question: string, ...answers: string[]): Buffer {
  return dnsMessage({ id: 7, flags: ANSWER, name: question, type: dnsTypes.A, answers: answers.map(recordOf) });
}

function recordOf(text: string): DnsRecord {
  const [owner, ttl, value] = text.split(' ');
  const ttlSeconds = Number(ttl);
  return /^[\d.]+$|:/.test(value!)
    ? addressRecord(owner!, value!, ttlSeconds)
    : { owner: owner!, type: dnsTypes.CNAME, ttlSeconds, data: value! };
}
