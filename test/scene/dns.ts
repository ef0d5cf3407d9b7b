// One-line builders for DNS messages, and the answers that the agent reads in them.
import { readDnsAnswers } from '../../agent/capture/decode/dns.ts';
import { ANSWER, addressRecord, type DnsRecord, dnsMessage, dnsTypes } from '../../lab/programs/dns-message.ts';
import { TCP, UDP } from '../../model/protocol.ts';

/** `www.example.com 203.0.113.10 300`. */
export function read(bytes: Uint8Array, over: 'UDP' | 'TCP' = 'UDP'): string[] {
  const answers: string[] = [];
  readDnsAnswers(over === 'TCP' ? TCP : UDP, bytes, (name, address, ttl) => answers.push(`${name} ${address} ${ttl}`));
  return answers;
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
