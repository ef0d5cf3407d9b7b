// When a record is emitted, and that every packet is in one (agent/capture/source.ts, CaptureSource.drain).
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { ConnectionRecord } from '../../../../model/record.ts';
import { Flows, webLink } from '../../../scene/flows.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { ip4, tcp, udp } from '../../../scene/packets.ts';
import { db, second, t0, web } from '../../../scene/records.ts';

function packetsIn(records: readonly ConnectionRecord[]): number {
  return records.reduce((sum, one) => sum + one.packets.forward + one.packets.reverse, 0);
}

t.test(
  'new, answered and ended connections are reported at the next drain, others at most every reportEvery',
  async (t) => {
    const flows = new Flows({ reportEveryUs: 10 * second });
    flows.out(0, tcp(40000, 5432, 'S'));
    matchEach(t, flows.drain(1), [{ packets: { forward: 1, reverse: 0 } }], 'new');
    flows.back(1.5, tcp(5432, 40000, 'SA', { acknowledged: 1001 }));
    matchEach(t, flows.drain(2), [{ packets: { forward: 0, reverse: 1 } }], 'answered');
    flows.out(2.5, tcp(40000, 5432, 'A'));
    flows.back(2.6, tcp(5432, 40000, 'A'));
    for (let s = 3; s < 12; s++) t.same(flows.drain(s), [], `${s} s`);
    matchEach(t, flows.drain(12), [{ beganUs: t0, firstUs: t0 + 2.5 * second, packets: { forward: 1, reverse: 1 } }]);
    t.same(flows.drain(30), [], 'no packet since');
    flows.out(31, tcp(40000, 5432, 'R'));
    matchEach(t, flows.drain(31.1), [{ ended: true, packets: { forward: 1, reverse: 0 } }]);
  },
);

t.test('the first answer of a protocol without a handshake is reported at the next drain', async (t) => {
  const flows = new Flows();
  flows.out(0, udp(40000, 53));
  flows.drain(1);
  flows.out(1.1, udp(40000, 53));
  t.same(flows.drain(2), []);
  flows.back(2.1, udp(53, 40000));
  matchEach(t, flows.drain(3), [{ packets: { forward: 1, reverse: 1 } }]);
});

t.test('an idle connection ends: TCP after 5 minutes, others after 1 minute', async (t) => {
  const flows = new Flows();
  flows.out(0, tcp(40000, 5432, 'S'));
  flows.out(0, udp(40000, 53));
  flows.drain(1);
  t.same(flows.drain(60), []);
  matchEach(t, flows.drain(60.1), [{ responderPort: 53, ended: true, packets: { forward: 0 }, lastUs: t0 }]);
  t.same(flows.drain(300), []);
  matchEach(t, flows.drain(300.1), [{ responderPort: 5432, ended: true, packets: { forward: 0 }, firstUs: t0 }]);
  t.equal(flows.table.size, 0);
});

t.test('a packet after the idle timeout begins a connection with an inferred initiator', async (t) => {
  const flows = new Flows();
  flows.out(0, tcp(40000, 5432, 'S'));
  flows.drain(400);
  flows.back(500, tcp(5432, 40000, 'A'));
  matchEach(t, flows.drain(501), [
    { initiator: web, initiatorBy: 'inferred', beganUs: t0 + 500 * second, ended: false },
  ]);
});

t.test('packets within 2 s after the end belong to the connection, and are reported once', async (t) => {
  const flows = new Flows();
  flows.out(0, tcp(40000, 5432, 'S'));
  flows.out(1, tcp(40000, 5432, 'FA'));
  flows.back(1.1, tcp(5432, 40000, 'FA'));
  matchEach(t, flows.drain(1.2), [{ ended: true }]);
  flows.out(1.3, tcp(40000, 5432, 'A'));
  t.same(flows.drain(3), []);
  matchEach(t, flows.drain(3.4), [{ ended: true, beganUs: t0, packets: { forward: 1, reverse: 0 } }]);
  t.equal(flows.table.size, 0);
  t.same(flows.drain(500), []);
});

t.test('an end is reported once', async (t) => {
  const flows = new Flows();
  flows.out(0, tcp(40000, 5432, 'R'));
  t.equal(flows.drain(1).length, 1);
  flows.out(1.5, tcp(40000, 5432, 'S', { sequence: 5 }));
  matchEach(
    t,
    flows.drain(2),
    [{ ended: false, beganUs: t0 + 1.5 * second }],
    'only the new connection on these ports',
  );
});

t.test('forget ends every connection of the interface, and of no other interface', async (t) => {
  const flows = new Flows();
  flows.out(0, tcp(40000, 5432, 'S'));
  flows.out(0, udp(40000, 53));
  flows.see(0, ip4(web, db, tcp(40000, 5432, 'S')), 'to-pod', 9);
  flows.drain(1);
  flows.out(1, udp(40000, 53));
  flows.table.forget(webLink);
  const records = flows.drain(1.1);
  t.same(
    records.map(({ interfaceIndex, responderPort, ended }) => ({ interfaceIndex, responderPort, ended })),
    [
      { interfaceIndex: 7, responderPort: 5432, ended: true },
      { interfaceIndex: 7, responderPort: 53, ended: true },
    ],
  );
  t.equal(packetsIn(records), 1);
  t.equal(flows.table.size, 1);
});

t.test(
  'a packet of a new connection is lost and counted if the table is full; an ended connection frees a row',
  async (t) => {
    const flows = new Flows({ maxConnections: 2 });
    for (let port = 1; port <= 5; port++) flows.out(0, udp(port, 53));
    flows.out(0, udp(1, 53));
    t.equal(packetsIn(flows.drain(1)), 3);
    t.same(flows.accounting.snapshot().lost, { 'table-full': 3 });
    flows.drain(61);
    flows.out(62, udp(5, 53));
    t.equal(flows.drain(63).length, 1);
  },
);

t.test('at most maxConnections ended records wait for a drain, and others are lost and counted', async (t) => {
  const flows = new Flows({ maxConnections: 2 });
  for (let sequence = 1; sequence <= 10; sequence++) flows.out(sequence, tcp(40000, 5432, 'S', { sequence }));
  t.equal(packetsIn(flows.drain(11)), 3, 'two ended and one live connection');
  t.same(flows.accounting.snapshot().lost, { 'table-full': 7 });
});

t.test('at the end of a file, the remaining records are emitted and not marked as ended', async (t) => {
  const flows = new Flows();
  flows.out(0, tcp(40000, 5432, 'S'));
  flows.out(0, udp(40000, 53));
  flows.drain(1);
  flows.out(2, udp(40000, 53));
  flows.out(2, tcp(50000, 5432, 'S'));
  matchEach(t, flows.finish(), [
    { responderPort: 53, ended: false },
    { initiatorPort: 50000, ended: false },
  ]);
  t.equal(flows.table.size, 0);
});

const event = fc.record({
  do: fc.constantFrom('packet', 'packet', 'packet', 'packet', 'drain', 'forget'),
  gap: fc.oneof({ weight: 8, arbitrary: fc.nat(2000) }, fc.nat(400_000)),
  from: fc.integer({ min: 1, max: 4 }),
  to: fc.integer({ min: 1, max: 2 }),
  flags: fc.constantFrom('S', 'S', 'SA', 'A', 'FA', 'RA'),
  isn: fc.integer({ min: 1, max: 2 }),
  link: fc.integer({ min: 1, max: 2 }),
  back: fc.boolean(),
  isUdp: fc.boolean(),
});

t.test('every packet is in one record or lost, whatever the order of packets and drains', async () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), fc.integer({ min: 1, max: 8 }), (events, maxConnections) => {
      const flows = new Flows({ maxConnections, reportEveryUs: 5 * second });
      const records: ConnectionRecord[] = [];
      let s = 0;
      let bytes = 0;
      for (const { do: action, gap, from, to, flags, isn, link, back, isUdp } of events) {
        s += gap / 1000;
        if (action === 'drain') records.push(...flows.drain(s));
        else if (action === 'forget') flows.table.forget(link);
        else {
          const ports = back ? ([to, from] as const) : ([from, to] as const);
          const numbers = { sequence: isn, acknowledged: isn + 1 };
          const content = ip4(back ? db : web, back ? web : db, isUdp ? udp(...ports) : tcp(...ports, flags, numbers));
          bytes += content.bytes.length;
          flows.see(s, content, back ? 'to-pod' : 'from-pod', link);
        }
        assert(flows.table.size <= maxConnections + Math.ceil(maxConnections / 8));
      }
      records.push(...flows.finish());
      const { seen, lost } = flows.accounting.snapshot();
      const missing = lost['table-full'] ?? 0;
      assert.equal(packetsIn(records) + missing, seen);
      assert.equal(flows.unrecorded.packets(), missing, 'what is in no record is in a sum');
      const reported = records.reduce((sum, one) => sum + one.bytes.forward + one.bytes.reverse, 0);
      assert(missing > 0 ? reported < bytes : reported === bytes);
      for (const { beganUs, firstUs, lastUs } of records) assert(beganUs <= firstUs && firstUs <= lastUs);
      endsOnce(records);
    }),
    { numRuns: 1500 },
  );
});

/** After its end, a connection is reported only for later packets. They may show that a reset did not end it. */
function endsOnce(records: readonly ConnectionRecord[]): void {
  const ended = new Set<string>();
  for (const one of records) {
    const { interfaceIndex, protocol, initiator, initiatorPort, responderPort, beganUs } = one;
    const key = [interfaceIndex, protocol, initiator, initiatorPort, responderPort, beganUs].join();
    if (ended.has(key)) assert(packetsIn([one]) > 0, 'reported again without packets');
    if (one.ended) ended.add(key);
  }
}
