import t from 'tap';
import { PacketAccounting } from '../../../accounting/accounting.ts';
import type { PodAddresses } from '../../../agent/interfaces/peer-addresses.ts';
import { InterfaceTable, type Link } from '../../../agent/interfaces/table.ts';
import { StateReporter } from '../../../agent/state.ts';

const second = 1_000_000;
const link = (index: number): Link => ({ index, name: `veth${index}`, netnsid: index, peerIndex: 2, appearedUs: 0 });
const noPackets = new PacketAccounting().snapshot();
const coverage = { gaps: [], unreadable: [] };

function scene() {
  const visibility = { fromPod: true, toPod: true, gapFreeSinceUs: 0 };
  const addresses: PodAddresses = { linkAddress: undefined, addresses: [] };
  const learned: string[] = [];
  const table = new InterfaceTable(
    () => addresses,
    () => visibility,
    (index, { linkAddress }) => learned.push(`${index} ${linkAddress?.toString('hex')}`),
  );
  const state = new StateReporter('1', {
    source: () => ({ name: 'tap', reason: 'configured' }),
    interfaces: () => table.wire(),
    notWatched: () => table.notWatched(),
    coverage: () => coverage,
    nodeAddresses: () => [],
    watchingSinceUs: () => 0,
    accounting: () => noPackets,
  });
  return { table, state, visibility, addresses, learned };
}

t.test('interfaces that cannot be watched are reported by name, until they are watched or gone', async (t) => {
  const { table, state } = scene();
  const stateAt = (nowUs: number) => {
    const { interfaces, notWatched } = state.at(nowUs);
    return [interfaces.map(({ name, watchedSinceUs }) => [name, watchedSinceUs]), notWatched];
  };
  table.appeared(link(7), second);
  for (const index of [9, 8]) t.ok(table.markUnwatched(link(index), 'EPERM'), 'new');
  t.same(stateAt(second), [[['veth7', second]], ['veth8', 'veth9']]);
  table.appeared(link(8), 5 * second);
  t.same(stateAt(5 * second), [
    [
      ['veth7', second],
      ['veth8', 5 * second],
    ],
    ['veth9'],
  ]);
  table.disappeared(9, 6 * second);
  t.same(stateAt(6 * second)[1], []);
});

t.test('a repeated failure with the same reason changes no state, so nothing is sent', async (t) => {
  const { table, state } = scene();
  table.markUnwatched(link(8), 'EPERM');
  const before = state.at(second);
  t.notOk(table.markUnwatched(link(8), 'EPERM'));
  t.equal(state.at(second + 1), before, 'the same object');
  t.ok(table.markUnwatched(link(8), 'ENOMEM'));
  t.not(state.at(second + 2), before);
});

t.test('gapFreeSinceUs is the end of the last gap', async (t) => {
  const { table, visibility } = scene();
  table.appeared(link(7), second);
  const before = table.wire();
  table.refresh(2 * second);
  t.equal(table.wire(), before, 'the same array');
  visibility.gapFreeSinceUs = 3 * second;
  table.refresh(4 * second);
  t.match(table.wire(), [{ watchedSinceUs: second, gapFreeSinceUs: 3 * second }], 'it was watched all the time');
  table.disappeared(7, 5 * second);
  table.appeared(link(7), 6 * second);
  table.refresh(7 * second);
  t.match(
    table.wire(),
    [{ watchedSinceUs: 6 * second, gapFreeSinceUs: 3 * second }],
    'the gap ended before the interface was watched',
  );
});

t.test('each change of the addresses in the pod is passed on, and the link address changes no report', async (t) => {
  const { table, addresses, learned } = scene();
  table.appeared(link(7), second);
  table.refresh(2 * second);
  t.same(learned, []);
  addresses.linkAddress = Buffer.from('020000000001', 'hex');
  const before = table.wire();
  table.refresh(3 * second);
  table.refresh(4 * second);
  t.same(learned, ['7 020000000001']);
  t.equal(table.wire(), before);
});
