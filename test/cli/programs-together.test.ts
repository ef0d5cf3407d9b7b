import t from 'tap';
import { NodePrograms, ports } from '../scene/node-programs.ts';
import { withoutNamespaces } from '../scene/pod-link.ts';
import { until } from '../scene/until.ts';

const skip = withoutNamespaces;

t.test('an agent without a collector logs it once, keeps its records, and delivers them later', { skip }, async (t) => {
  const node = await NodePrograms.make(t);
  const agent = await node.agent('ours/agent-n1');
  t.match(await agent.logged('collector unreachable, retrying'), {
    level: 40,
    address: ports.ingest,
    reason: /ECONNREFUSED/,
  });
  node.link.ping(20);
  const collector = await node.collector();
  await agent.logged('collector reachable again');
  t.equal(agent.lines('collector unreachable').length, 1, 'it retried several times, and logged it once');
  await until('every packet is stored', async () => (await node.status()).store.packets >= 40);
  const status = await node.status();
  t.match(status, { nodes: { reporting: 1, of: 1 }, ingest: { streamsRefused: 0 } });
  t.match(status.nodes.list, [{ node: 'n1', agent: 'reporting', interfaces: 1, duplicatesDropped: 0 }]);
  await until(
    'the connection is evaluated',
    async () => ((await node.ask('flows')) as { ended: boolean }[]).length > 0,
  );
  const flows = (await node.ask('flows')) as { protocol: string }[];
  const ping = {
    protocol: 'ICMP',
    initiator: { kind: 'node', node: 'n1' },
    responder: { kind: 'pod', workload: 'web' },
  };
  t.match(
    flows.filter((flow) => flow.protocol === 'ICMP'),
    [{ ...ping, packets: { forward: 20, reverse: 20 } }],
  );
  t.same([await agent.end(), await collector.end()], [0, 0]);
  t.same([agent.stderr, collector.stderr], ['', '']);
});

t.test('an agent with a certificate of another authority logs it, and nothing is stored', { skip }, async (t) => {
  const node = await NodePrograms.make(t);
  await node.collector();
  const foreign = await node.agent('other/agent-n1');
  const said = {
    level: 40,
    reason: /^the collector closed the connection, probably because it/,
    fix: /^set tls\.cert and tls\.key/,
  };
  t.match(await foreign.logged('collector unreachable, retrying'), said);
  node.link.ping(5);
  t.match(await node.status(), { nodes: { reporting: 0, of: 1 }, store: { batches: 0, records: 0, connections: 0 } });
  // An agent with undelivered records would delay its end.
  await foreign.kill();
});
