// Every topology of the lab, played by real programs over real interfaces, with each capture source: Waybill reports each
// connection as the topology labels it, and reports nothing else.
import { readdirSync } from 'node:fs';
import t from 'tap';
import { sourceNames } from '../../agent/capture/choose.ts';
import { balances } from '../../lab/programs/waybill.ts';
import { playAll, type RunResult, withLab } from '../../lab/session.ts';
import type { EndpointJson } from '../../model/json.ts';

const folder = new URL('../../lab/topologies/', import.meta.url);
const topologies = readdirSync(folder);

const results = new Map<string, RunResult>();
t.test('every topology, with each source: every expected finding, and no other', async (t) => {
  // Labs do not affect each other, and much of a run is waiting.
  t.jobs = 2;
  for (const name of topologies) {
    for (const source of sourceNames) {
      t.test(`${name} with ${source}`, { buffered: true }, async (t) => {
        const result = await withLab(new URL(`${name}/topology.yaml`, folder).pathname, source, playAll);
        results.set(`${name} ${source}`, result);
        t.same(result.differences, []);
        t.ok(result.traffic.length > 0, 'there was traffic');
        for (const [node, accounting] of Object.entries(result.books)) {
          t.ok(balances(accounting), `the packet accounting of ${node} balances`);
        }
      });
    }
  }
});

for (const name of topologies) {
  t.test(`${name}: all sources give the same findings`, async (t) => {
    const [first, ...others] = sourceNames.map((source) => comparableFindings(results.get(`${name} ${source}`)!));
    t.ok(first!.length > 0, `${first!.length} findings`);
    for (const [i, other] of others.entries()) t.same(other, first, `${sourceNames[i + 1]} as ${sourceNames[0]}`);
  });
}

/** One text per connection with a finding, and per `inert` finding, without duplicates. */
function comparableFindings({ findings, connections, traffic }: RunResult): string[] {
  const kinds = new Map(findings.map(({ id, kind }) => [id, kind]));
  const seen = new Set<string>();
  for (const { kind, initiator } of findings) if (kind === 'inert') seen.add(`inert ${nameOf(initiator)}`);
  for (const connection of connections) {
    const { finding, initiator, responder, protocol, port, initiatorPort, verdict, outcome } = connection;
    if (finding === undefined) continue;
    // Where the topology allows sources to differ, the expected values replace the reported one.
    const label = traffic.find((one) => one.protocol === protocol && one.sourcePort === initiatorPort)?.label;
    const delivered = label !== undefined && label.delivered.length > 1 ? label.delivered : connection.delivered;
    const ends = `${nameOf(initiator)} -> ${nameOf(responder)} ${protocol} ${port ?? ''}`;
    seen.add(`${kinds.get(finding)} ${ends}: ${verdict}, ${outcome}, delivered ${delivered}`);
  }
  return [...seen].sort();
}

function nameOf({ kind, namespace, workload, ip }: EndpointJson): string {
  return workload === undefined ? `${kind} ${ip}` : `${namespace}/${workload}`;
}

t.test('at least 30 connections of each kind through a Service with three backends reached all three', async (t) => {
  const { traffic } = results.get('backends ebpf')!;
  for (const name of ['TCP', 'UDP', 'masqueraded TCP', 'masqueraded UDP']) {
    const some = traffic.filter((one) => one.name === name);
    t.ok(some.length >= 30, `${name}: ${some.length} connections`);
    t.same([...new Set(some.map(({ pods }) => pods.responder))].sort(), ['api-0', 'api-1', 'api-2'], name);
  }
});

t.test('a finding has the DNS name that the pod queried, also in its text', async (t) => {
  const { findings } = results.get('names ebpf')!;
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

t.test('the labelled topology has at least 80 connections, with every row of the design’s table', async (t) => {
  const { traffic } = results.get('labelled ebpf')!;
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
    'unknown established: unevaluated',
  ]) {
    t.ok(rows.has(row), row);
  }
});
