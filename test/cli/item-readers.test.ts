import t from 'tap';
import { connectionReader, findingReader } from '../../cli/output/item-readers.ts';
import { connectionJson, findingJson } from '../../model/json.ts';
import { connection, podEnd } from '../scene/connections.ts';
import { finding } from '../scene/findings.ts';
import { second, t0 } from '../scene/records.ts';

t.test('of the findings of a file, every severity and every initiator is among the newest', async (t) => {
  const scan = Array.from({ length: 30 }, (_, i) => finding({ id: `scan${i}`, lastSeenUs: t0 + (100 + i) * second }));
  const honest = finding({ id: 'honest', initiator: podEnd('bank/web'), lastSeenUs: t0 + second });
  const low = finding({ id: 'low', severity: 'low', lastSeenUs: t0 });
  const all = [low, honest, ...scan].map(findingJson);
  const ids = (last: number) => findingReader.newest(all, last).map(({ id }) => id);
  t.same(ids(4), ['scan29', 'scan28', 'honest', 'low']);
  t.equal(ids(100).length, 32);
});

t.test('of the connections of a file, the newest are shown', async (t) => {
  const all = [1, 3, 2].map((s) => connectionJson(connection({ id: `c${s}`, endUs: t0 + s * second })));
  t.same(
    connectionReader.newest(all, 2).map(({ id }) => id),
    ['c3', 'c2'],
  );
});

t.test('a rolled-up finding is read back from JSON, and matches a filter of what it is rolled up over', async (t) => {
  const { port: _, ...overPorts } = finding({ ports: { count: 30, first: [1, 2] } });
  const read = findingReader.read(JSON.parse(JSON.stringify(findingJson(overPorts))));
  t.match(read, { ports: { count: 30, first: [1, 2] } });
  t.ok(findingReader.matches({ last: 1, ports: [22] }, read!));
  t.notOk(findingReader.matches({ last: 1, toPods: ['nobody'] }, read!));
  t.equal(findingReader.read({ ...read, ports: 30 }), undefined);
});
