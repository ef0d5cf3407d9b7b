import t from 'tap';
import { formatItems } from '../../cli/output/format.ts';
import { findingFormatter } from '../../cli/output/item-formatters.ts';
import type { Finding } from '../../model/finding.ts';
import { findingJson } from '../../model/json.ts';
import { ICMP } from '../../model/protocol.ts';
import { podEnd } from '../scene/connections.ts';
import { finding } from '../scene/findings.ts';

const explanation =
  'shop/web -> shop/db TCP 300 is denied by policy.\nnetwork: the responder answered\nto do: find out why';
const { port: _, ...single } = finding({ explanation, connections: 412, memberCounts: '1-300:1' });
const overPorts: Finding = { ...single, ports: { count: 300, first: [1, 2, 3] } };
const { protocol: __, ...noProtocol } = single;
const overProtocols: Finding = { ...noProtocol, protocols: { count: 1, first: [ICMP] } };
const { responder: ___, ...noResponder } = noProtocol;
const first = [podEnd('shop/db'), { kind: 'external', zone: 'internet' } as const, podEnd('shop/\u202eevil\n')];
const overResponders: Finding = { ...noResponder, responders: { count: 60, first } };

t.test('the explanation says how many there are, describes the latest, and lists the first', async (t) => {
  const linesOf = (one: Finding) => findingJson(one).explanation.split('\n');
  t.same(linesOf(overPorts), [
    '300 ports, the latest: shop/web -> shop/db TCP 300 is denied by policy.',
    'counted: 1, 2, 3 and 297 more',
    'network: the responder answered',
    'to do: find out why',
  ]);
  t.match(linesOf(overProtocols), [/^1 protocol, the latest: shop/, 'counted: ICMP']);
  t.match(linesOf(overResponders), [
    /^60 responders, the latest: shop/,
    'counted: shop/db, internet, shop/\\u{202e}evil\\x0a and 57 more',
  ]);
});

t.test('a rolled-up finding is one row, with what it counts in place of one member', async (t) => {
  const table = formatItems([overPorts, overProtocols, overResponders].map(findingJson), 'table', findingFormatter, {
    width: Number.POSITIVE_INFINITY,
    color: false,
  });
  const rows = table.split('\n').map((row) => row.split(/ {2,}/).slice(2, 7));
  t.same(rows.slice(0, 4), [
    ['INITIATOR', 'RESPONDER', 'PORT', 'PLACEMENT', 'COUNT'],
    ['shop/web', 'shop/db', 'TCP 300 ports', 'cross-node', '412'],
    ['shop/web', 'shop/db', '1 protocol', 'cross-node', '412'],
    ['shop/web', '60 responders', 'cross-node', '412', '2026-01-01T00:00:01.000Z'],
  ]);
});

t.test('JSON has the members, and not the counts of the store', async (t) => {
  const json = findingJson(overPorts);
  t.same(json.ports, { count: 300, first: [1, 2, 3] });
  t.equal(json.connections, 412);
  for (const field of ['port', 'memberCounts']) t.notOk(field in json, field);
  t.same(findingJson(overProtocols).protocols, { count: 1, first: ['ICMP'] });
  t.match(findingJson(overResponders).responders, {
    count: 60,
    first: [{ kind: 'pod', workload: 'db', names: [] }, {}, {}],
  });
});
