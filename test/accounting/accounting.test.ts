import t from 'tap';
import { PacketAccounting } from '../../accounting/accounting.ts';

t.test('pending is seen minus stored, ignored and lost, in packets and in bytes', async (t) => {
  const accounting = new PacketAccounting();
  accounting.seen(10, 1_000);
  accounting.stored(4, 400);
  accounting.ignored('not-ip', 1, 42);
  accounting.lost('table-full', 2, 120);
  accounting.lost('table-full', 1, 60);
  t.same(accounting.snapshot(), {
    seen: 10,
    stored: 4,
    pending: 2,
    ignored: { 'not-ip': 1 },
    lost: { 'table-full': 3 },
    bytes: { seen: 1_000, stored: 400, pending: 378, ignored: { 'not-ip': 42 }, lost: { 'table-full': 180 } },
  });
});

t.test('packets that libpcap dropped are lost, without bytes', async (t) => {
  const accounting = new PacketAccounting();
  accounting.seen(7, 0);
  accounting.lost('kernel-buffer-full', 7, 0);
  t.match(accounting.snapshot(), { seen: 7, pending: 0, lost: { 'kernel-buffer-full': 7 } });
  t.same(accounting.snapshot().bytes, { seen: 0, stored: 0, pending: 0, ignored: {}, lost: {} });
});
