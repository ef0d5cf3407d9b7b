// Every field of the wire has a limit, and a value beyond it is refused with the name of the field and the value.
import { fileURLToPath } from 'node:url';
import { loadSync } from '@grpc/proto-loader';
import fc from 'fast-check';
import t from 'tap';
import { batchFault } from '../../proto/check-batch.ts';
import { encodeDnsNames } from '../../proto/dns-names.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { type FieldLimit, fieldLimits, type MessageName } from '../../proto/field-limits.ts';
import { type FlowBatch, flowIngestDefinition } from '../../proto/wire.ts';
import { emptyState, wireInterface } from '../scene/raw-agent.ts';
import { answered, ip, t0 } from '../scene/records.ts';

const { requestSerialize, requestDeserialize } = flowIngestDefinition().Stream;

/** Of descriptor.proto. */
type FieldDescriptor = { name: string; type: string; typeName: string; label: string };
type MessageDescriptor = {
  name: string;
  field: FieldDescriptor[];
  nestedType: MessageDescriptor[];
  options: { mapEntry?: boolean } | null;
};

function messagesOfFile(): Map<string, MessageDescriptor> {
  const path = fileURLToPath(new URL('../../proto/waybill/v1/flow.proto', import.meta.url));
  const loaded = Object.values(loadSync(path)).flatMap((one) => ('type' in one ? [one.type as MessageDescriptor] : []));
  const found = new Map<string, MessageDescriptor>();
  const add = (message: MessageDescriptor) => {
    if (message.name === 'Ack' || message.options?.mapEntry) return;
    found.set(message.name, message);
    for (const nested of message.nestedType) add(nested);
  };
  for (const message of loaded) add(message);
  return found;
}

function kindOf(field: FieldDescriptor, message: MessageDescriptor): FieldLimit['is'] {
  switch (field.type) {
    case 'TYPE_STRING':
      return 'text';
    case 'TYPE_BOOL':
      return 'flag';
    case 'TYPE_BYTES':
      return 'bytes';
    case 'TYPE_MESSAGE':
      return message.nestedType.some((one) => one.name === field.typeName && one.options?.mapEntry)
        ? 'counts'
        : 'message';
    default:
      return 'number';
  }
}

t.test('every field of every message that agents send has a limit of its kind', async (t) => {
  const messages = messagesOfFile();
  t.ok(messages.size >= 7, `${messages.size} messages read`);
  t.same([...messages.keys()].sort(), Object.keys(fieldLimits).sort());
  for (const message of messages.values()) {
    const limits = fieldLimits[message.name as MessageName];
    for (const field of message.field) {
      const name = `${message.name}.${field.name}`;
      t.equal(limits[field.name]?.is, kindOf(field, message), name);
      if (limits[field.name]?.is === 'message' && field.label === 'LABEL_REPEATED')
        t.ok((limits[field.name] as { maxItems?: number }).maxItems, `${name} has a largest number of items`);
    }
  }
});

/** A batch with something in every field. */
function full(): FlowBatch {
  const tuple = { initiator: ip('10.0.1.2'), initiatorPort: 9, responder: ip('10.96.0.9'), responderPort: 80 };
  const counts = { seen: 9, stored: 8, ignored: { arp: 1 }, lost: { 'queue-full': 1 } };
  const records = encodeRecords([
    answered({
      isn: 77,
      packets: { forward: 4, reverse: 4 },
      frames: 5,
      translation: { original: tuple, translated: tuple },
    }),
  ]);
  const asked = { interfaceIndex: 7, server: ip('10.0.2.9'), asked: ip('10.96.0.10') };
  const answer = { name: 'www.example', address: ip('203.0.113.9'), atUs: t0 };
  const names = encodeDnsNames({
    answers: [{ ...answer, ttlSeconds: 30, origin: { ...asked, transport: 'TCP' } }],
    withdrawn: [{ ...answer, origin: asked }],
    unanswered: [{ interfaceIndex: 7, name: 'www.example', atUs: t0, open: true }],
    watched: [{ interfaceIndex: 7, sinceUs: t0, isNew: true, untilUs: t0 }],
  });
  const times = { firstUs: t0, lastUs: t0 };
  const unrecorded = {
    reason: 'table-full',
    direction: 1,
    protocol: 6,
    port: 443,
    zone: 2,
    packets: 3,
    bytes: 180,
    ...times,
  };
  const gapInterface = { index: 7, name: 'veth7', podUid: 'uid', connections: 9, unanswered: 8 };
  const state = {
    ...emptyState,
    interfaces: [wireInterface({ podUid: 'uid', addresses: ['10.0.1.2'] })],
    accounting: { ...counts, bytes: counts },
    nodeAddresses: ['192.0.2.1'],
    notWatched: ['veth9'],
    coverage: {
      gaps: [{ fromUs: t0, untilUs: t0, ended: true, interfaces: [{ ...gapInterface, unrecorded: [unrecorded] }] }],
      unreadable: [{ index: 7, unrecorded: [{ ...unrecorded, reason: 'corrupt' }] }],
    },
  };
  const clock = { wallUs: t0, acks: 3, sinceAckUs: 1000 };
  return { node: 'n1', instance: 'one', sequence: 1, sentUs: t0, coveredUntilUs: t0, state, records, names, clock };
}

/** The message of that name in the batch. */
const messageIn: Record<MessageName, (batch: FlowBatch) => object> = {
  FlowBatch: (batch) => batch,
  Clock: (batch) => batch.clock!,
  AgentState: (batch) => batch.state!,
  Interface: (batch) => batch.state!.interfaces[0]!,
  Accounting: (batch) => batch.state!.accounting!,
  Bytes: (batch) => batch.state!.accounting!.bytes!,
  Coverage: (batch) => batch.state!.coverage!,
  Gap: (batch) => batch.state!.coverage!.gaps[0]!,
  GapInterface: (batch) => batch.state!.coverage!.gaps[0]!.interfaces[0]!,
  InterfaceLosses: (batch) => batch.state!.coverage!.unreadable[0]!,
  Unrecorded: (batch) => batch.state!.coverage!.unreadable[0]!.unrecorded[0]!,
  DnsNames: (batch) => batch.names!,
  DnsQueries: (batch) => batch.names!.queries!,
  Withdrawn: (batch) => batch.names!.queries!.withdrawn[0]!,
  Unanswered: (batch) => batch.names!.queries!.unanswered[0]!,
  Watched: (batch) => batch.names!.queries!.watched[0]!,
  Records: (batch) => batch.records!,
};

/** The fault of the full batch after `change` of one message, as it arrives at the collector. */
function faultAfter(name: MessageName, change: (message: Record<string, unknown>) => void): string {
  const batch = full();
  change(messageIn[name](batch) as Record<string, unknown>);
  return batchFault(requestDeserialize(requestSerialize(batch))) ?? '';
}

t.test('a batch with a valid value in every field is accepted', async (t) => {
  t.equal(batchFault(requestDeserialize(requestSerialize(full()))), undefined);
});

for (const [message, limits] of Object.entries(fieldLimits) as [MessageName, Record<string, FieldLimit>][]) {
  t.test(`${message}: a value beyond the limit of its field is refused, with its name and the value`, async (t) => {
    for (const [field, limit] of Object.entries(limits)) {
      const set = (value: unknown) =>
        faultAfter(message, (to) => {
          to[field] = Array.isArray(to[field]) ? [value, ...(to[field] as unknown[]).slice(1)] : value;
        });
      if (limit.is === 'number' && limit.max !== 2 ** 32 - 1 && limit.min === 0)
        t.match(set(limit.max * 2), new RegExp(`${field}(\\[0\\])? is ${limit.max * 2}; allowed is 0 to ${limit.max}`));
      if (limit.is === 'text')
        t.match(
          set('x'.repeat(limit.maxLength + 1)),
          new RegExp(`${field}(\\[0\\])? has ${limit.maxLength + 1} characters`),
        );
      if (limit.is === 'counts') {
        t.match(set({ arp: 2 ** 60 }), `${field}["arp"] is ${2 ** 60}; allowed is 0 to`);
        t.match(set({ ['k'.repeat(1000)]: 1 }), `${field}["kkkkkkkkkkkkkkkkkkkk"] has a name of 1000 characters`);
        const many = Object.fromEntries(Array.from({ length: limit.maxItems + 1 }, (_, i) => [`k${i}`, i]));
        t.match(set(many), `${field} has ${limit.maxItems + 1} values`);
      }
      if ('maxItems' in limit && limit.is !== 'counts' && limit.maxItems !== undefined) {
        const fault = faultAfter(message, (to) => {
          to[field] = Array.from({ length: limit.maxItems! + 1 }, () => (to[field] as unknown[])[0]);
        });
        t.match(fault, `${field} has ${limit.maxItems + 1} values; allowed are ${limit.maxItems}`);
      }
    }
  });
}

t.test('a 64-bit number that JavaScript cannot hold exactly is refused', async (t) => {
  for (const sequence of [2 ** 53, 2 ** 53 + 2, 2 ** 64 - 2048])
    t.match(
      faultAfter('FlowBatch', (to) => (to.sequence = sequence)),
      /^sequence is \d+; allowed is 0 to 9007199254740991$/,
    );
});

t.test('times that cannot be true are refused', async (t) => {
  const hour = 3_600_000_000;
  const records = (change: Record<string, number[]>) => faultAfter('Records', (to) => Object.assign(to, change));
  t.match(records({ age: [2 ** 63] }), /^records\.age\[0\] is 9223372036854776000; allowed is 0 to/);
  t.match(
    faultAfter('Records', (to) => (to.baseUs = t0 + 3 * hour)),
    /^records\[0\]: its last packet is at \d+, more than two/,
  );
  t.match(
    faultAfter('Records', (to) => Object.assign(to, { baseUs: 1000, age: [2000] })),
    /^records\.age\[0\] is 2000: the record begins before 1970/,
  );
  t.match(
    faultAfter('Records', (to) => (to.baseUs = t0 - 20 * 365 * 24 * hour)),
    /ten years before sentUs$/,
  );
  t.match(
    faultAfter('DnsNames', (to) => (to.atUs = [t0 + 3 * hour])),
    /^names\.atUs\[0\] is at \d+, more than two hours/,
  );
  for (const [name, field] of [
    ['Withdrawn', 'atUs'],
    ['Unanswered', 'atUs'],
    ['Watched', 'sinceUs'],
    ['Watched', 'untilUs'],
  ] as const)
    t.match(
      faultAfter(name, (to) => (to[field] = t0 + 3 * hour)),
      new RegExp(`^names\\.queries\\.\\w+\\[0\\]\\.${field} is at \\d+, more than two hours`),
    );
  t.match(
    faultAfter('FlowBatch', (to) => (to.coveredUntilUs = 4_000_000_000_000_000)),
    /^coveredUntilUs is at 4000000000000000, more than two hours after sentUs/,
  );
  t.equal(
    faultAfter('Records', (to) => (to.baseUs = t0 + hour)),
    '',
    'the clock of the node stepped back by an hour',
  );
});

t.test('a record of neither end is refused: only capture files have the observation point host', async (t) => {
  t.match(
    faultAfter('Records', (to) => (to.marks = Uint8Array.of(2))),
    'records.marks[0] is 2: its observation point is host; allowed are source and destination',
  );
  t.match(
    faultAfter('Records', (to) => (to.marks = Uint8Array.of(3))),
    /its observation point is unknown/,
  );
});

t.test('values of one record that contradict each other are refused', async (t) => {
  t.match(
    faultAfter('Records', (to) => (to.moreSegments = [9])),
    'records.moreSegments[0] is 9; the record has only 8 packets',
  );
  t.match(
    faultAfter('Records', (to) => (to.translation = [0, 9, 1, 80, 0, 70_000, 1, 80])),
    'records.translation[5] is 70000; allowed is 0 to 65535',
  );
});

t.test('the fault of any numbers is one line, and a batch without fault can be shown and stored', async (t) => {
  const number = fc.oneof(fc.nat(), fc.double({ min: 0, max: 2 ** 64, noNaN: true }).map(Math.floor));
  fc.assert(
    fc.property(number, number, number, fc.nat(2 ** 31), (sentUs, baseUs, age, span) => {
      const batch = full();
      batch.sentUs = sentUs;
      Object.assign(batch.records!, { baseUs, age: [age], span: [span] });
      const fault = batchFault(batch);
      if (fault === undefined) {
        const last = baseUs + span;
        return baseUs >= age && last <= sentUs + 2 * 3_600_000_000;
      }
      return fault.length < 200 && !fault.includes('\n');
    }),
  );
  t.pass();
});
