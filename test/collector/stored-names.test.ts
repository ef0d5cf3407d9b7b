import t from 'tap';
import { StoredNamesWriter } from '../../collector/stored-names.ts';

type Changes = { put: { key: string; body: string }[]; removed: string[] };

function scene(...changes: Changes[]) {
  const stored: Changes[] = [];
  const logged: object[] = [];
  let refuse = false;
  const writer = new StoredNamesWriter(
    { changes: () => changes.shift() ?? { put: [], removed: [] } },
    {
      putNames: async ({ put, removed }) => {
        if (refuse) throw new Error('disk full');
        stored.push({ put: [...put], removed: [...removed] });
      },
    },
    { error: (fields: object) => logged.push(fields) },
  );
  return { writer, stored, logged, changes, refuse: (value: boolean) => (refuse = value) };
}

const row = (key: string, body: string) => ({ key, body });

t.test('all changes are written, in parts', async (t) => {
  const { writer, stored } = scene({ put: [row('a', '1')], removed: [] }, { put: [row('b', '1')], removed: ['c'] });
  await writer.write();
  t.same(stored, [
    { put: [row('a', '1')], removed: [] },
    { put: [row('b', '1')], removed: ['c'] },
  ]);
  await writer.write();
  t.equal(stored.length, 2, 'nothing to write');
});

t.test('what the store refuses is written later, in its latest version', async (t) => {
  const { writer, stored, logged, changes, refuse } = scene({ put: [row('a', '1'), row('b', '1')], removed: ['c'] });
  refuse(true);
  await writer.write();
  t.match(logged, [{ reason: 'disk full' }]);
  refuse(false);
  changes.push({ put: [row('a', '2'), row('c', '2')], removed: ['b'] });
  await writer.write();
  t.same(stored, [{ put: [row('a', '2'), row('c', '2')], removed: ['b'] }]);
});
