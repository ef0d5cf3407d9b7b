import fc from 'fast-check';
import t from 'tap';
import { type Address, addressFromBytes } from '../../model/address.ts';
import { type DnsAnswer, type DnsReport, emptyDnsReport } from '../../model/dns-answer.ts';
import { decodeDnsNames, encodeDnsNames, maxDnsNames } from '../../proto/dns-names.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { type FlowBatch, flowIngestDefinition, type WireDnsNames } from '../../proto/wire.ts';
import { ip, t0 } from '../scene/records.ts';

const method = flowIngestDefinition().Stream;
const envelope = { node: 'n1', instance: 'i', sequence: 1, sentUs: t0, coveredUntilUs: t0, state: null };

function overTheWire(batch: FlowBatch): FlowBatch {
  return method.requestDeserialize(method.requestSerialize(batch));
}

function encoded(report: Partial<DnsReport>): WireDnsNames {
  return encodeDnsNames({ ...emptyDnsReport, ...report })!;
}

const name = fc.domain().map((one) => one.toLowerCase());
const address: fc.Arbitrary<Address> = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(addressFromBytes);
const interfaceIndex = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const atUs = fc.integer({ min: 0, max: 2 ** 52 });
const servers = { interfaceIndex, server: address, asked: address };
const answer: fc.Arbitrary<DnsAnswer> = fc.record({
  name,
  address,
  atUs,
  ttlSeconds: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  origin: fc.record({ ...servers, transport: fc.constantFrom('UDP', 'TCP') }),
});
const report: fc.Arbitrary<DnsReport> = fc.record({
  answers: fc.array(answer, { maxLength: 20 }),
  withdrawn: fc.array(fc.record({ name, address, atUs, origin: fc.record(servers) }), { maxLength: 5 }),
  unanswered: fc.array(fc.record({ interfaceIndex, name, atUs, open: fc.boolean() }), { maxLength: 5 }),
  watched: fc.array(fc.record({ interfaceIndex, sinceUs: atUs, isNew: fc.boolean(), untilUs: atUs }), { maxLength: 5 }),
});
const origin = { interfaceIndex: 7, server: ip('10.0.2.3'), asked: ip('10.96.0.10'), transport: 'UDP' as const };
const one: DnsAnswer = { name: 'www.example', address: ip('192.0.2.1'), atUs: t0, ttlSeconds: 300, origin };

t.test('every report is decoded as it was encoded, IPv4 answers first', async (t) => {
  fc.assert(
    fc.property(report, (sent) => {
      const received = overTheWire({ ...envelope, records: null, names: encodeDnsNames(sent) });
      const isSix = ({ address }: DnsAnswer) => address.includes(':');
      const answers = [...sent.answers.filter((one) => !isSix(one)), ...sent.answers.filter(isSix)];
      t.same(decodeDnsNames(received.names), { report: { ...sent, answers } });
    }),
    { numRuns: 50 },
  );
});

t.test('a batch of an older agent without names is decoded', async (t) => {
  const received = overTheWire({ ...envelope, records: encodeRecords([]), names: null });
  t.equal(received.names, null);
  t.same(decodeDnsNames(received.names), { report: emptyDnsReport });
});

t.test('an answer of an older agent has no origin, also after it was stored', async (t) => {
  const { origin: _, ...old } = one;
  const {
    interfaceIndex: _a,
    servers: _b,
    server: _c,
    asked: _d,
    transport: _e,
    queries: _f,
    ...columns
  } = encoded({
    answers: [old],
  });
  const received = overTheWire({ ...envelope, records: null, names: columns as WireDnsNames });
  const decoded = decodeDnsNames(received.names);
  t.same(decoded, { report: { ...emptyDnsReport, answers: [old] } });
  t.same(
    decodeDnsNames(overTheWire({ ...envelope, records: null, names: encoded({ answers: [old] }) }).names),
    decoded,
  );
});

t.test('a batch with names only has an empty records field, for older collectors', async (t) => {
  const received = overTheWire({ ...envelope, records: encodeRecords([]), names: encoded({ answers: [one] }) });
  t.not(received.records, null);
});

t.test('columns of different lengths and too many names are a fault', async (t) => {
  const wire = encoded({ answers: [one, one] });
  const faultOf = (change: Partial<WireDnsNames>) => decodeDnsNames({ ...wire, ...change });
  t.match(faultOf({ ipv4: wire.ipv4.subarray(1) }), { fault: /the number of addresses does not match the 2 names/ });
  t.match(faultOf({ ipv6: Buffer.alloc(16) }), { fault: /the number of addresses does not match the 2 names/ });
  t.match(faultOf({ atUs: [t0] }), { fault: /the number of times does not match the 2 names/ });
  t.match(faultOf({ ttlSeconds: [1, 2, 3] }), { fault: /the number of times does not match the 2 names/ });
  t.match(faultOf({ interfaceIndex: [7] }), { fault: /the number of DNS servers does not match the 2 names/ });
  t.match(faultOf({ transport: Buffer.alloc(3) }), { fault: /the number of DNS servers does not match the 2 names/ });
  const many = encoded({ answers: Array.from({ length: maxDnsNames + 1 }, () => one) });
  t.match(decodeDnsNames(many), { fault: /5001 names/ });
});

t.test('an invalid address, and a server that is not in the list, are a fault', async (t) => {
  const wire = encoded({ answers: [one] });
  const withdrawn = { interfaceIndex: 7, name: 'a', address: '192.0.2.1', atUs: t0, server: '::1', asked: '::1' };
  const queries = { withdrawn: [withdrawn], unanswered: [], watched: [] };
  t.match(decodeDnsNames({ ...wire, asked: [2] }), { fault: /not in the list of servers/ });
  t.match(decodeDnsNames({ ...wire, servers: ['192.0.2.1', 'evil'] }), { fault: /server is not an address/ });
  for (const field of ['address', 'server', 'asked'])
    t.match(decodeDnsNames({ ...wire, queries: { ...queries, withdrawn: [{ ...withdrawn, [field]: '' }] } }), {
      fault: /withdrawn DNS answer/,
    });
  t.match(decodeDnsNames({ ...wire, queries }), { report: { withdrawn: [{ name: 'a' }] } });
});

t.test('a name that is not printable is ignored', async (t) => {
  for (const name of ['', 'a b', '\x1b[2J', 'UPPER', 'm\u00fcll', 'a\\b', 'x'.repeat(254)]) {
    const unanswered = [{ interfaceIndex: 7, name, atUs: t0, open: true }];
    const wire = encoded({ answers: [{ ...one, name }, one], unanswered });
    t.same(decodeDnsNames(wire), { report: { ...emptyDnsReport, answers: [one] } }, JSON.stringify(name));
  }
});
