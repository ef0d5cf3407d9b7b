import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { addressFromBytes } from '../../model/address.ts';
import type { ConnectionRecord, Tuple } from '../../model/record.ts';
import { decodeRecords } from '../../proto/decode.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { type FlowBatch, flowIngestDefinition, type WireAccounting } from '../../proto/wire.ts';

const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(addressFromBytes);
const port = fc.integer({ min: 0, max: 65535 });
const tuple: fc.Arbitrary<Tuple> = fc.record({
  initiator: address,
  initiatorPort: port,
  responder: address,
  responderPort: port,
});
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const both = <T>(value: fc.Arbitrary<T>) => fc.record({ forward: value, reverse: value });
const base = 1_790_000_000_000_000;

const record: fc.Arbitrary<ConnectionRecord> = fc
  .tuple(
    tuple,
    fc.record({
      protocol: fc.integer({ min: 0, max: 255 }),
      point: fc.constantFrom('source', 'destination', 'host'),
      interfaceIndex: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      podUid: fc.constant(''),
      initiatorBy: fc.constantFrom('handshake', 'inferred'),
      isn: fc.option(fc.oneof(fc.constantFrom(0, 2 ** 32 - 1), u32), { nil: undefined }),
      bothSentSyn: fc.boolean(),
      responderFirst: fc.boolean(),
      packets: both(u32),
      bytes: both(fc.integer({ min: 0, max: 2 ** 50 })),
      tcpFlags: both(fc.integer({ min: 0, max: 255 })),
      synRetries: fc.integer({ min: 0, max: 100 }),
      unreachable: fc.boolean(),
      answered: fc.boolean(),
      deliveryUnproven: fc.boolean(),
      moreSegments: fc.nat(1000),
      rttUs: u32,
      ended: fc.boolean(),
      translation: fc.option(fc.record({ original: tuple, translated: tuple }), { nil: undefined }),
    }),
    fc.tuple(
      fc.integer({ min: 0, max: 2 ** 40 }),
      fc.integer({ min: -1e9, max: 1e9 }),
      fc.integer({ min: 0, max: 1e9 }),
    ),
  )
  .map(([ends, { moreSegments, ...rest }, [age, first, span]]) => {
    const firstUs = base + first;
    const packets = rest.packets.forward + rest.packets.reverse;
    const frames = Math.max(0, packets - moreSegments);
    return { ...ends, ...rest, frames, firstUs, beganUs: firstUs - age, lastUs: firstUs + span } as ConnectionRecord;
  });

function overTheWire(batch: FlowBatch): FlowBatch {
  const method = flowIngestDefinition().Stream;
  return method.requestDeserialize(method.requestSerialize(batch));
}

const envelope = {
  node: 'n1',
  instance: 'i',
  sequence: 1,
  sentUs: base,
  coveredUntilUs: base,
  state: null,
  names: null,
};

t.test('every record is decoded as it was encoded', async (t) => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), (records) => {
      const received = overTheWire({ ...envelope, records: encodeRecords(records) });
      const decoded = decodeRecords(received.records!, 100);
      t.ok('records' in decoded);
      t.same('records' in decoded && decoded.records, records);
    }),
    { numRuns: 50 },
  );
});

t.test('a batch with inconsistent columns is refused as a whole, and the fault names the column', async (t) => {
  const [one] = fc.sample(record, 1);
  const wire = overTheWire({ ...envelope, records: encodeRecords([one!, one!]) }).records!;
  t.match(decodeRecords({ ...wire, span: [1] }, 100), { fault: /column span has 1 values, not 2/ });
  t.match(decodeRecords({ ...wire, initiator: [0, 99] }, 100), { fault: /record 1/ });
  t.match(decodeRecords(wire, 1), { fault: /more than 1/ });
});

t.test('an initial sequence number is not known if the record has none, and 0 is a number', async (t) => {
  const [one] = fc.sample(record, 1);
  const isnsOf = (isns: (number | undefined)[]) => {
    const wire = encodeRecords(
      isns.map((isn) => ({ ...one!, translation: undefined, isn, bothSentSyn: false, responderFirst: false })),
    );
    const decoded = decodeRecords(overTheWire({ ...envelope, records: wire }).records!, 100);
    return 'records' in decoded && decoded.records.map(({ isn }) => isn);
  };
  t.same(isnsOf([undefined, 0, 7, undefined, 2 ** 32 - 1]), [undefined, 0, 7, undefined, 2 ** 32 - 1]);
  t.same(isnsOf([undefined, undefined]), [undefined, undefined], 'as from an agent of 0.1.0');
});

t.test('a batch with too few or too many initial sequence numbers is refused', async (t) => {
  const [one] = fc.sample(record, 1);
  const known = { ...one!, translation: undefined, isn: 0 };
  const wire = overTheWire({ ...envelope, records: encodeRecords([known, known]) }).records!;
  t.match(decodeRecords({ ...wire, isn: [1] }, 100), { fault: /record 1 lacks its value in column isn/ });
  t.match(decodeRecords({ ...wire, isn: [1, 2, 3] }, 100), { fault: /column isn has 3 values, not 2/ });
  t.match(decodeRecords({ ...wire, moreMarks: Buffer.of(1) }, 100), { fault: /column moreMarks has 1 values, not 2/ });
});

t.test('budget wire: at most 40 bytes a record before compression', async (t) => {
  // A node with 100 pods and 10 peers each: three of four connections are short, the others are long-lived.
  const records = Array.from({ length: 1000 }, (_, i): ConnectionRecord => {
    const firstUs = base + i * 250;
    const live = i % 4 === 0;
    return {
      protocol: 6,
      initiator: addressFromBytes(Uint8Array.of(10, 0, 0, i % 100)),
      initiatorPort: 32768 + i,
      responder: addressFromBytes(Uint8Array.of(10, 1, i % 10, i % 100)),
      responderPort: 8080,
      point: 'source',
      interfaceIndex: i % 100,
      podUid: '',
      initiatorBy: 'handshake',
      isn: (i * 2_654_435_761) % 2 ** 32,
      bothSentSyn: false,
      responderFirst: false,
      beganUs: live ? firstUs - 3_600_000_000 : firstUs,
      firstUs,
      lastUs: firstUs + (live ? 29_000_000 : 4_000),
      packets: { forward: live ? 1000 + i : 6, reverse: live ? 900 + i : 5 },
      frames: live ? 1900 + 2 * i : 11,
      bytes: { forward: live ? 150_000 * i : 900, reverse: live ? 3_000_000 + i : 4_000 },
      tcpFlags: { forward: 0x1b, reverse: 0x1b },
      synRetries: 0,
      unreachable: false,
      answered: false,
      deliveryUnproven: false,
      rttUs: live ? 0 : 350 + i,
      ended: !live,
      translation: undefined,
    };
  });
  const size = flowIngestDefinition().Stream.requestSerialize({ ...envelope, records: encodeRecords(records) }).length;
  t.ok(size / records.length <= 40, `${size / records.length} bytes a record`);
});

t.test('fields keep their numbers: a message of any version decodes in any other', async (t) => {
  const varint = (field: number, value: number) => Buffer.of(field * 8, value);
  const length = (bytes: number) => (bytes < 128 ? Buffer.of(bytes) : Buffer.of((bytes & 127) | 128, bytes >> 7));
  const nested = (field: number, body: Buffer) => Buffer.concat([Buffer.of(field * 8 + 2), length(body.length), body]);
  const text = (field: number, value: string) => nested(field, Buffer.from(value));
  const entry = (reason: string, packets: number) => Buffer.concat([text(1, reason), varint(2, packets)]);
  const counts = Buffer.concat([
    ...[varint(1, 9), varint(2, 4), nested(3, entry('not-ip', 2)), nested(4, entry('corrupt', 3))],
  ]);
  const accounting = Buffer.concat([counts, nested(5, counts)]);
  const link = Buffer.concat([
    ...[varint(1, 7), text(2, 'veth1'), text(3, 'uid'), text(4, '10.0.0.1'), varint(5, 11)],
    ...[varint(6, 1), varint(7, 1), varint(8, 12), varint(9, 13)],
  ]);
  const state = Buffer.concat([
    ...[text(1, '0.1.0'), text(2, 'ebpf'), text(3, 'why'), nested(4, link), nested(5, accounting)],
    ...[text(6, '192.0.2.1'), text(7, 'veth2')],
  ]);
  const names = Buffer.concat([
    ...[nested(1, Buffer.of(192, 0, 2, 1)), text(3, 'a.example'), nested(4, Buffer.of(5)), nested(5, Buffer.of(6))],
  ]);
  const records = Buffer.concat([
    ...[nested(1, Buffer.of(10, 0, 0, 1, 10, 0, 0, 2)), nested(10, Buffer.of(0)), nested(11, Buffer.of(1))],
    ...[nested(14, Buffer.of(6)), nested(15, Buffer.of(64 + 128))],
    ...[Buffer.of(0xfa, 1, 1, 3), Buffer.of(0x82, 2, 4, 1, 0, 0, 0x80)],
  ]);
  const message = Buffer.concat([
    ...[text(1, 'n1'), text(2, 'i'), varint(3, 1), varint(4, 2), varint(5, 3)],
    ...[nested(6, state), nested(7, records), nested(8, names)],
  ]);
  const counted = { seen: 9, stored: 4, ignored: { 'not-ip': 2 }, lost: { corrupt: 3 } };
  t.match(flowIngestDefinition().Stream.requestDeserialize(message), {
    ...{ node: 'n1', instance: 'i', sequence: 1, sentUs: 2, coveredUntilUs: 3 },
    state: {
      ...{ version: '0.1.0', source: 'ebpf', sourceReason: 'why', nodeAddresses: ['192.0.2.1'], notWatched: ['veth2'] },
      interfaces: [
        {
          ...{ index: 7, name: 'veth1', podUid: 'uid', addresses: ['10.0.0.1'], watchedSinceUs: 11 },
          ...{ seesFromPod: true, seesToPod: true, goneUs: 12, gapFreeSinceUs: 13 },
        },
      ],
      accounting: { ...counted, bytes: counted },
    },
    records: {
      initiator: [0],
      responder: [1],
      protocol: Buffer.of(6),
      marks: Buffer.of(192),
      moreMarks: Buffer.of(3),
      isn: [0x80000001],
    },
    names: { ipv4: Buffer.of(192, 0, 2, 1), name: ['a.example'], atUs: [5], ttlSeconds: [6] },
  });
});

t.test('the marks of a record keep their bits', async (t) => {
  const [one] = fc.sample(record, 1);
  const bare = {
    ...one!,
    ...{ point: 'source' as const, initiatorBy: 'inferred' as const, translation: undefined },
    ...{ unreachable: false, ended: false, deliveryUnproven: false, answered: false },
  };
  const marksOf = (change: Partial<ConnectionRecord>) => encodeRecords([{ ...bare, ...change }]).marks[0];
  t.equal(marksOf({}), 0);
  t.equal(marksOf({ point: 'destination' }), 1);
  t.equal(marksOf({ point: 'host' }), 2);
  t.equal(marksOf({ initiatorBy: 'handshake' }), 4);
  t.equal(marksOf({ unreachable: true }), 8);
  t.equal(marksOf({ ended: true }), 16);
  t.equal(marksOf({ deliveryUnproven: true }), 64);
  t.equal(marksOf({ answered: true }), 128);
  const moreMarksOf = (change: Partial<ConnectionRecord>) =>
    encodeRecords([{ ...bare, isn: undefined, bothSentSyn: false, responderFirst: false, ...change }]).moreMarks[0];
  t.equal(moreMarksOf({}), undefined, 'no column');
  t.equal(moreMarksOf({ isn: 0 }), 1);
  t.equal(moreMarksOf({ bothSentSyn: true }), 2);
  t.equal(moreMarksOf({ responderFirst: true }), 4);
});

t.test('the programs use the service of the proto file', async (t) => {
  t.match(readFileSync('proto/waybill/v1/flow.proto', 'utf8'), /rpc Stream\(stream FlowBatch\) returns \(stream Ack\)/);
  t.equal(flowIngestDefinition().Stream.path, '/waybill.v1.FlowIngest/Stream');
});

t.test('the accounting is in packets and bytes, without bytes from an older agent', async (t) => {
  const packets = { seen: 9, stored: 5, ignored: { 'not-ip': 1 }, lost: { 'table-full': 3 } };
  const bytes = { seen: 2 ** 50, stored: 300, ignored: { 'not-ip': 42 }, lost: { 'table-full': 180 } };
  const received = (accounting: WireAccounting) => {
    const state = {
      version: '',
      source: '',
      sourceReason: '',
      interfaces: [],
      nodeAddresses: [],
      notWatched: [],
      coverage: null,
    };
    return overTheWire({ ...envelope, records: null, state: { ...state, accounting } }).state?.accounting;
  };
  t.match(received({ ...packets, bytes }), { ...packets, bytes });
  t.match(received({ ...packets, bytes: null }), { ...packets, bytes: null });
});
