import t from 'tap';
import { Contributions, type Group } from '../../../../collector/store/series/contributions.ts';

const groups: Record<'a' | 'b', Group> = {
  a: { key: 'a', measurement: 'm', tags: { of: 'a' } },
  b: { key: 'b', measurement: 'm', tags: { of: 'b' } },
};

function added(maxContributions: number): { shares: Contributions; took: [string, number][] } {
  const took: [string, number][] = [];
  return { shares: new Contributions(maxContributions, ({ key }, { packets }) => took.push([key, packets!])), took };
}

t.test('a later version adds only the difference', async (t) => {
  const { shares, took } = added(10);
  shares.put('c1', 'living', groups.a, { packets: 5 });
  shares.put('c1', 'ended', groups.a, { packets: 8 });
  t.same(took, [
    ['a', 5],
    ['a', 3],
  ]);
});

t.test('a contribution that moves to another group is subtracted from the former', async (t) => {
  const { shares, took } = added(10);
  shares.put('c1', 'living', groups.a, { packets: 5 });
  shares.put('c1', 'living', groups.b, { packets: 8 });
  shares.remove('c1');
  shares.remove('never put');
  t.same(took, [
    ['a', 5],
    ['a', -5],
    ['b', 8],
    ['b', -8],
  ]);
});

t.test('a restored contribution adds only the difference', async (t) => {
  const { shares, took } = added(10);
  shares.restore('c1', 'living', groups.a, { packets: 5 });
  shares.put('c1', 'living', groups.a, { packets: 7 });
  t.same(took, [['a', 2]]);
});

t.test('ended contributions are evicted before living ones', async (t) => {
  const { shares, took } = added(3);
  shares.put('old', 'living', groups.a, { packets: 1 });
  for (let i = 0; i < 10; i++) shares.put(`ended${i}`, 'ended', groups.b, { packets: 1 });
  shares.put('old', 'living', groups.a, { packets: 3 });
  t.same(took.at(-1), ['a', 2], 'it was remembered');
  shares.put('ended0', 'ended', groups.b, { packets: 1 });
  t.same(took.at(-1), ['b', 1], 'this one was evicted, and counts again');
});
