import t from 'tap';
import { Books } from '../../accounting/accounting.ts';

t.test('what was seen and is neither stored nor set aside nor lost is held: in packets, and in bytes', async (t) => {
  const books = new Books();
  books.seen(10, 1_000);
  books.stored(4, 400);
  books.setAside('not-ip', 1, 42);
  books.lost('table-full', 2, 120);
  books.lost('table-full', 1, 60);
  t.same(books.snapshot(), {
    seen: 10,
    stored: 4,
    held: 2,
    setAside: { 'not-ip': 1 },
    lost: { 'table-full': 3 },
    bytes: { seen: 1_000, stored: 400, held: 378, setAside: { 'not-ip': 42 }, lost: { 'table-full': 180 } },
  });
});

t.test('what libpcap dropped is lost, and its bytes are in no account', async (t) => {
  const books = new Books();
  books.seen(7, 0);
  books.lost('kernel-buffer-full', 7, 0);
  t.match(books.snapshot(), { seen: 7, held: 0, lost: { 'kernel-buffer-full': 7 } });
  t.same(books.snapshot().bytes, { seen: 0, stored: 0, held: 0, setAside: {}, lost: {} });
});
