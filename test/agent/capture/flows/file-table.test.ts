// The table of capture files: each connection gets one record that says that it ended.
import t from 'tap';
import { Flows } from '../../../scene/flows.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { ip4, tcp, udp } from '../../../scene/packets.ts';
import { db, web } from '../../../scene/records.ts';

function fileFlows(maxConnections = 1000): Flows {
  return new Flows({ reportEveryUs: Number.POSITIVE_INFINITY, source: 'file', maxConnections });
}

function closed(flows: Flows, from = 40_000): void {
  flows.out(0, tcp(from, 80, 'S', { sequence: 100 }));
  flows.back(0.1, tcp(80, from, 'SA', { sequence: 900, acknowledged: 101 }));
  flows.out(0.2, tcp(from, 80, 'FA', { sequence: 101, acknowledged: 901 }));
  flows.back(0.3, tcp(80, from, 'FA', { sequence: 901, acknowledged: 102 }));
}

t.test('an established connection that ended is reported when no late packet is expected any more', async (t) => {
  const flows = fileFlows();
  closed(flows);
  t.same(flows.drain(5), []);
  flows.back(50, tcp(80, 40_000, 'FA', { sequence: 901, acknowledged: 102 }));
  t.same(flows.drain(100), []);
  matchEach(t, flows.drain(111), [{ ended: true, packets: { forward: 2, reverse: 3 } }]);
  t.same(flows.drain(500), []);
});

t.test('a live table reports the end at once', async (t) => {
  const flows = new Flows();
  closed(flows);
  matchEach(t, flows.drain(1), [{ ended: true }]);
});

t.test('a refused connection waits for no late packet', async (t) => {
  const flows = fileFlows();
  flows.out(0, tcp(40_000, 80, 'S', { sequence: 100 }));
  flows.back(0.1, tcp(80, 40_000, 'RA', { acknowledged: 101 }));
  t.same(flows.drain(1), []);
  matchEach(t, flows.drain(3), [{ ended: true, packets: { forward: 1, reverse: 1 } }]);
});

t.test('a SYN on the same ports ends it and begins another connection', async (t) => {
  const flows = fileFlows();
  closed(flows);
  flows.out(1, tcp(40_000, 80, 'S', { sequence: 7000 }));
  flows.back(1.1, tcp(80, 40_000, 'SA', { sequence: 8000, acknowledged: 7001 }));
  matchEach(t, flows.drain(2), [
    { isn: 100, ended: true },
    { isn: 7000, ended: false },
  ]);
});

t.test('what is released early is reported once', async (t) => {
  const flows = fileFlows();
  closed(flows);
  flows.out(0, udp(1, 53));
  const released: boolean[] = [];
  flows.table.releaseEnded(({ ended }) => released.push(ended));
  t.same(released, [true]);
  matchEach(t, flows.drain(1), [{ initiatorPort: 1 }]);
  t.same(flows.finish(), []);
});

t.test('a connection that loses its row has a record, and nothing is lost', async (t) => {
  const flows = fileFlows(4);
  for (let port = 1; port <= 4; port++) flows.out(0, udp(port, 53));
  t.equal(flows.drain(1).length, 4);
  flows.out(2, udp(1, 53));
  for (let port = 11; port <= 15; port++) flows.see(3, ip4(db, web, tcp(80, port, 'A')), 'to-pod');
  const records = [...flows.drain(4), ...flows.finish()];
  const { lost } = flows.accounting.snapshot();
  const counted = records.reduce((sum, { packets }) => sum + packets.forward + packets.reverse, 0);
  t.equal(counted + (lost['table-full'] ?? 0), 6);
  t.ok(records.some(({ initiatorPort, ended }) => initiatorPort === 1 && ended));
});

t.test('a SYN whose flags come with a later fragment begins the connection of the first fragment', async (t) => {
  const flows = fileFlows();
  const syn = tcp(40_000, 80, 'S', { sequence: 100 });
  flows.see(0, ip4(web, db, { ...syn, bytes: syn.bytes.subarray(0, 8) }, { more: true }), 'from-pod');
  flows.out(0.1, syn);
  flows.back(0.2, tcp(80, 40_000, 'SA', { sequence: 900, acknowledged: 101 }));
  matchEach(t, flows.drain(1), [{ isn: 100, initiatorBy: 'handshake', packets: { forward: 2, reverse: 1 } }]);
});
