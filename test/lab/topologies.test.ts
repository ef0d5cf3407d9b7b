// Every topology of the lab, played by real programs over real interfaces: what Waybill says of each connection is what
// the topology says of it, and it says nothing else.
import { readdirSync } from 'node:fs';
import t from 'tap';
import { balances } from '../../lab/programs/waybill.ts';
import { playAll, type RunResult, withLab } from '../../lab/session.ts';

const folder = new URL('../../lab/topologies/', import.meta.url);

const results = new Map<string, RunResult>();
for (const name of readdirSync(folder)) {
  t.test(`${name}: every expected finding, and no other`, async (t) => {
    const result = await withLab(new URL(`${name}/topology.yaml`, folder).pathname, 'pcap', playAll);
    results.set(name, result);
    t.same(result.differences, []);
    t.ok(result.traffic.length > 0, 'there was traffic');
    for (const [node, books] of Object.entries(result.books)) t.ok(balances(books), `the books of ${node} balance`);
  });
}

t.test('a finding carries the name that the pod asked for, in its text too', async (t) => {
  const { findings } = results.get('names')!;
  const responders = findings.flatMap(({ initiator, responder, explanation }) =>
    initiator.workload === 'batch' && responder?.ip === '198.51.100.20'
      ? [{ names: responder.names, explanation }]
      : [],
  );
  t.match(responders, [
    {
      names: ['www.example.com'],
      explanation: /^shop\/batch -> 198\.51\.100\.20 \(www\.example\.com, internet\) TCP 443 /,
    },
  ]);
});

t.test('the labelled topology speaks of at least 80 connections, over every row of the design’s table', async (t) => {
  const { traffic } = results.get('labelled')!;
  t.ok(traffic.length >= 80, `${traffic.length} connections`);
  const rows = new Set(traffic.map(({ label, outcome }) => `${label.verdict} ${outcome}: ${label.finding}`));
  for (const row of [
    'denied established: bypass',
    'denied refused: bypass',
    'denied unanswered: bypass',
    'denied refused: blocked',
    'denied unanswered: blocked',
    'undeclared established: undeclared',
    'undeclared refused: undeclared',
    'undeclared unanswered: undeclared',
    'undeclared established: none',
    'undeclared refused: none',
    'undeclared unanswered: none',
    'allowed established: none',
    'allowed refused: none',
    'allowed unanswered: none',
    'allowed refused: broken',
    'allowed unanswered: broken',
    'unknown established: none',
  ]) {
    t.ok(rows.has(row), row);
  }
});
