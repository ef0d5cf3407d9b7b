// The agent's own serializer writes the same message as protobufjs, for any records.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { emptyDnsReport } from '../../model/dns-answer.ts';
import { encodeDnsNames } from '../../proto/dns-names.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { packBatch, serializeWithPacked } from '../../proto/pack.ts';
import { type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import { ip, record, t0 } from '../scene/records.ts';

const { requestSerialize, requestDeserialize } = flowIngestDefinition().Stream;
const envelope: FlowBatch = {
  node: 'n1',
  instance: 'one',
  sequence: 2 ** 40,
  sentUs: t0,
  coveredUntilUs: t0 + 1,
  state: null,
  records: null,
  names: null,
};

const number = (most: number) => fc.oneof(fc.constantFrom(0, 1, 127, 128, most), fc.integer({ min: 0, max: most }));
const both = (most: number) => fc.record({ forward: number(most), reverse: number(most) });
const tuple = { initiator: ip('10.0.0.1'), initiatorPort: 9, responder: ip('fd00::2'), responderPort: 65_535 };
const records = fc.array(
  fc.record({
    initiator: fc.constantFrom(ip('10.0.0.1'), ip('fd00::1')),
    initiatorPort: number(65_535),
    isn: fc.oneof(fc.constant(undefined), number(2 ** 32 - 1)),
    bothSentSyn: fc.boolean(),
    responderFirst: fc.boolean(),
    interfaceIndex: number(2 ** 31 - 1),
    firstUs: fc.integer({ min: t0 - 1_000_000, max: t0 + 1_000_000 }),
    lastUs: fc.constant(t0 + 2 ** 31),
    beganUs: fc.integer({ min: t0 - 2 ** 45, max: t0 - 1_000_000 }),
    packets: both(2 ** 31),
    frames: number(2 ** 30),
    bytes: both(2 ** 52),
    tcpFlags: both(255),
    synRetries: number(65_535),
    rttUs: number(2 ** 32 - 1),
    translation: fc.constantFrom(undefined, { original: tuple, translated: tuple }),
  }),
  { maxLength: 9 },
);

t.test('a packed batch after its envelope is the message that protobufjs writes', async () => {
  const names = encodeDnsNames({
    ...emptyDnsReport,
    answers: [{ name: 'a.example', address: ip('192.0.2.1'), atUs: t0, ttlSeconds: 9 }],
  });
  fc.assert(
    fc.property(records, fc.constantFrom(null, names), (some, dnsNames) => {
      const wire = encodeRecords(some.map((one) => record(one)));
      const whole = requestDeserialize(requestSerialize({ ...envelope, records: wire, names: dnsNames }));
      const packed = requestDeserialize(serializeWithPacked(envelope, packBatch(wire, dnsNames)));
      assert.deepEqual(packed, whole);
    }),
  );
});
