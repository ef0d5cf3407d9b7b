import t from 'tap';
import { Books } from '../../../accounting/accounting.ts';
import { InterfaceTable, type Link } from '../../../agent/interfaces/table.ts';
import { StateTeller } from '../../../agent/state.ts';

const second = 1_000_000;
const link = (index: number): Link => ({ index, name: `veth${index}`, netnsid: index, appearedUs: 0 });
const emptyBooks = new Books().snapshot();

function scene() {
  const visible = { fromPod: true, toPod: true, wholeSinceUs: 0 };
  const table = new InterfaceTable(
    () => [],
    () => visible,
  );
  const state = new StateTeller('1', {
    source: () => ({ name: 'tap', reason: 'configured' }),
    interfaces: () => table.wire(),
    notWatched: () => table.notWatched(),
    nodeAddresses: () => [],
    books: () => emptyBooks,
  });
  return { table, state, visible };
}

t.test('what cannot be watched is told by name, beside what is, until it can or is gone', async (t) => {
  const { table, state } = scene();
  const told = (nowUs: number) => {
    const { interfaces, notWatched } = state.at(nowUs);
    return [interfaces.map(({ name, watchedSinceUs }) => [name, watchedSinceUs]), notWatched];
  };
  table.appeared(link(7), second);
  for (const index of [9, 8]) t.ok(table.refused(link(index), 'EPERM'), 'news');
  t.same(told(second), [[['veth7', second]], ['veth8', 'veth9']]);
  table.appeared(link(8), 5 * second);
  t.same(told(5 * second), [
    [
      ['veth7', second],
      ['veth8', 5 * second],
    ],
    ['veth9'],
  ]);
  table.disappeared(9, 6 * second);
  t.same(told(6 * second)[1], []);
});

t.test('that it is refused again for the same reason is no news, and nothing is sent for it', async (t) => {
  const { table, state } = scene();
  table.refused(link(8), 'EPERM');
  const before = state.at(second);
  t.notOk(table.refused(link(8), 'EPERM'));
  t.equal(state.at(second + 1), before, 'the same object');
  t.ok(table.refused(link(8), 'ENOMEM'));
  t.not(state.at(second + 2), before);
});

t.test('after a gap it is watched since its end: silence before that proves nothing', async (t) => {
  const { table, visible } = scene();
  table.appeared(link(7), second);
  const before = table.wire();
  table.refresh(2 * second);
  t.equal(table.wire(), before, 'the same array');
  visible.wholeSinceUs = 3 * second;
  table.refresh(4 * second);
  t.match(table.wire(), [{ watchedSinceUs: second, wholeSinceUs: 3 * second }], 'it was there all the time');
  table.disappeared(7, 5 * second);
  table.appeared(link(7), 6 * second);
  table.refresh(7 * second);
  t.match(table.wire(), [{ watchedSinceUs: 6 * second, wholeSinceUs: 3 * second }], 'an earlier gap is none of it');
});
