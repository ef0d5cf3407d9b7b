import fc from 'fast-check';
import t from 'tap';
import { addressFromBytes } from '../../model/address.ts';
import type { NameAnswer } from '../../model/name-answer.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { decodeNames, encodeNames, mostNames } from '../../proto/names.ts';
import { type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import { ip, t0 } from '../scene/records.ts';

const method = flowIngestDefinition().Stream;
const envelope = { node: 'n1', instance: 'i', sequence: 1, sentUs: t0, coveredUntilUs: t0, state: null };

function overTheWire(batch: FlowBatch): FlowBatch {
  return method.requestDeserialize(method.requestSerialize(batch));
}

const answer: fc.Arbitrary<NameAnswer> = fc.record({
  name: fc.domain().map((name) => name.toLowerCase()),
  address: fc
    .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
    .map(addressFromBytes),
  atUs: fc.integer({ min: 0, max: 2 ** 52 }),
  ttlSeconds: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
});
const one: NameAnswer = { name: 'www.example', address: ip('192.0.2.1'), atUs: t0, ttlSeconds: 300 };

t.test('every answer comes back from the wire as it was sent, IPv4 first', async (t) => {
  fc.assert(
    fc.property(fc.array(answer, { maxLength: 20 }), (answers) => {
      const received = overTheWire({ ...envelope, records: null, names: encodeNames(answers) });
      const isSix = ({ address }: NameAnswer) => address.includes(':');
      t.same(decodeNames(received.names), {
        names: [...answers.filter((one) => !isSix(one)), ...answers.filter(isSix)],
      });
    }),
    { numRuns: 50 },
  );
});

t.test('an agent that knows of no names sends none, and its records are read', async (t) => {
  const received = overTheWire({ ...envelope, records: encodeRecords([]), names: null });
  t.equal(received.names, null);
  t.same(decodeNames(received.names), { names: [] });
});

t.test('a batch of names alone has records to a collector that knows of no names', async (t) => {
  const received = overTheWire({ ...envelope, records: encodeRecords([]), names: encodeNames([one]) });
  t.not(received.records, null);
});

t.test('names that contradict themselves are a fault', async (t) => {
  const wire = encodeNames([one, one])!;
  t.match(decodeNames({ ...wire, ipv4: wire.ipv4.subarray(1) }), { fault: /addresses of 2 names/ });
  t.match(decodeNames({ ...wire, ipv6: Buffer.alloc(16) }), { fault: /addresses of 2 names/ });
  t.match(decodeNames({ ...wire, atUs: [t0] }), { fault: /times of 2 names/ });
  t.match(decodeNames({ ...wire, ttlSeconds: [1, 2, 3] }), { fault: /times of 2 names/ });
  const many = encodeNames(Array.from({ length: mostNames + 1 }, () => one));
  t.match(decodeNames(many), { fault: /5001 names/ });
});

t.test('a name that nobody should be shown is left out', async (t) => {
  for (const name of ['', 'a b', '\x1b[2J', 'UPPER', 'm\u00fcll', 'a\\b', 'x'.repeat(254)]) {
    const wire = encodeNames([{ ...one, name }, one])!;
    t.same(decodeNames(wire), { names: [one] }, JSON.stringify(name));
  }
});
