import t from 'tap';
import { Sums } from '../../../../collector/store/series/sums.ts';
import { connection, podEnd } from '../../../scene/connections.ts';
import { finding } from '../../../scene/findings.ts';

const limits = { maxGroups: 100, maxConnections: 100, maxFindings: 100 };

t.test('connections of one pair, verdict and placement are one point', async (t) => {
  const sums = new Sums(limits);
  for (let i = 0; i < 50; i++) sums.addConnection(connection({ id: `c${i}`, initiatorPort: 40_000 + i }));
  sums.addConnection(connection({ id: 'other', placement: 'same-node' }));
  const { points } = sums.take(1_767_225_600_000);
  t.match(points, [
    { measurement: 'waybill_connections', fields: { connections: 50, packets: 450, bytes: 225_000 } },
    { tags: { placement: 'same-node' }, fields: { connections: 1 } },
  ]);
  t.match(points[0]!.timestamp, new Date('2026-01-01T00:00:00Z'));
});

t.test('an interval without changes has no points', async (t) => {
  const sums = new Sums(limits);
  sums.addConnection(connection());
  sums.take(1000);
  sums.addConnection(connection());
  t.same(sums.take(2000), { points: [], dropped: 0 });
});

t.test('every kind of endpoint has a name, and none is an address', async (t) => {
  const sums = new Sums(limits);
  sums.addConnection(
    connection({ id: 'c1', responder: { kind: 'external', ip: podEnd('a/b').ip!, zone: 'internet' } }),
  );
  sums.addConnection(connection({ id: 'c2', responder: { kind: 'node', node: 'n2' } }));
  sums.addConnection(connection({ id: 'c3', responder: { kind: 'service', namespace: 'shop', service: 'db' } }));
  sums.addConnection(connection({ id: 'c4', responder: podEnd('kube-system/proxy', { kind: 'host' }) }));
  sums.addConnection(connection({ id: 'c5', responder: { kind: 'unknown' } }));
  const { responder: _, ...inert } = finding({ kind: 'inert' });
  sums.addFinding(inert);
  const named = sums.take(1000).points.map((point) => point.tags!.responder);
  t.same(named, ['zone/internet', 'node/n2', 'shop/db', 'kube-system/proxy', 'unknown', 'none']);
});

t.test('groups above the limit are dropped and counted', async (t) => {
  const sums = new Sums({ ...limits, maxGroups: 3 });
  for (let i = 0; i < 5; i++) sums.addConnection(connection({ id: `c${i}`, initiator: podEnd(`shop/w${i}`) }));
  const { points, dropped } = sums.take(1000);
  t.same([points.length, dropped], [3, 2]);
});
