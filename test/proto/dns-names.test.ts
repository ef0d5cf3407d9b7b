import fc from 'fast-check';
import t from 'tap';
import { addressFromBytes } from '../../model/address.ts';
import type { DnsAnswer } from '../../model/dns-answer.ts';
import { decodeDnsNames, encodeDnsNames, maxDnsNames } from '../../proto/dns-names.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import { ip, t0 } from '../scene/records.ts';

const method = flowIngestDefinition().Stream;
const envelope = { node: 'n1', instance: 'i', sequence: 1, sentUs: t0, coveredUntilUs: t0, state: null };

function overTheWire(batch: FlowBatch): FlowBatch {
  return method.requestDeserialize(method.requestSerialize(batch));
}

const answer: fc.Arbitrary<DnsAnswer> = fc.record({
  name: fc.domain().map((name) => name.toLowerCase()),
  address: fc
    .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
    .map(addressFromBytes),
  atUs: fc.integer({ min: 0, max: 2 ** 52 }),
  ttlSeconds: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
});
const one: DnsAnswer = { name: 'www.example', address: ip('192.0.2.1'), atUs: t0, ttlSeconds: 300 };

t.test('every answer is decoded as it was encoded, IPv4 first', async (t) => {
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 20 }), (answers) => {
      const received = overTheWire({ ...envelope, records: null, names: encodeDnsNames(answers) });
      const isSix = ({ address }: DnsAnswer) => address.includes(':');
      t.same(decodeDnsNames(received.names), {
        names: [...answers.filter((one) => !isSix(one)), ...answers.filter(isSix)],
      });
    }),
    { numRuns: 50 },
  );
});

t.test('a batch of an older agent without names is decoded', async (t) => {
  const received = overTheWire({ ...envelope, records: encodeRecords([]), names: null });
  t.equal(received.names, null);
  t.same(decodeDnsNames(received.names), { names: [] });
});

t.test('a batch with names only has an empty records field, for older collectors', async (t) => {
  const received = overTheWire({ ...envelope, records: encodeRecords([]), names: encodeDnsNames([one]) });
  t.not(received.records, null);
});

t.test('columns of different lengths and too many names are a fault', async (t) => {
  const wire = encodeDnsNames([one, one])!;
  t.match(decodeDnsNames({ ...wire, ipv4: wire.ipv4.subarray(1) }), {
    fault: /the number of addresses does not match the 2 names/,
  });
  t.match(decodeDnsNames({ ...wire, ipv6: Buffer.alloc(16) }), {
    fault: /the number of addresses does not match the 2 names/,
  });
  t.match(decodeDnsNames({ ...wire, atUs: [t0] }), { fault: /the number of times does not match the 2 names/ });
  t.match(decodeDnsNames({ ...wire, ttlSeconds: [1, 2, 3] }), {
    fault: /the number of times does not match the 2 names/,
  });
  const many = encodeDnsNames(Array.from({ length: maxDnsNames + 1 }, () => one));
  t.match(decodeDnsNames(many), { fault: /5001 names/ });
});

t.test('a name that is not printable is ignored', async (t) => {
  for (const name of ['', 'a b', '\x1b[2J', 'UPPER', 'm\u00fcll', 'a\\b', 'x'.repeat(254)]) {
    const wire = encodeDnsNames([{ ...one, name }, one])!;
    t.same(decodeDnsNames(wire), { names: [one] }, JSON.stringify(name));
  }
});
