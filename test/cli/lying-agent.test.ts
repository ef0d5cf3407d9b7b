// A peer with the certificate of node n3 that lies about other nodes, against a real collector. Whatever it claims, nothing
// is found about the pods of n1 and n2 that they did not do, and what they did is found.
import t, { type Test } from 'tap';
import { nowUs } from '../../cluster/clock.ts';
import type { StatusJson } from '../../collector/api/api.ts';
import type { ConnectionJson, FindingJson } from '../../model/json.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { shopWith } from '../scene/claims.ts';
import { type CollectorScene, collectorScene } from '../scene/collector-process.ts';
import { ingressPolicy } from '../scene/pipeline.ts';
import { emptyState, RawAgent, wireInterface } from '../scene/raw-agent.ts';
import { answered, atDestination, ip, record } from '../scene/records.ts';
import { until } from '../scene/until.ts';

const manifests = [shopWith('n3'), ingressPolicy('db', 'api')].join('---\n');
const webLink = wireInterface({ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] });
const dbLink = wireInterface({ index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] });
const batchLink = wireInterface({ index: 5, podUid: 'uid-batch', addresses: ['10.0.3.4'] });

type Agents = { web: RawAgent; db: RawAgent; liar: RawAgent };

async function scene(t: Test): Promise<{ collector: CollectorScene; agents: Agents }> {
  // Manifests that exist when the collector starts count as older than every connection.
  const collector = await collectorScene(t, manifests, { 'findings-grace': '0s' });
  const agent = (node: string) => new RawAgent(t, collector.ingestPort, collector.tls(`agent-${node}`), node);
  return { collector, agents: { web: agent('n1'), db: agent('n2'), liar: agent('n3') } };
}

/** All agents report that they saw everything until now. */
async function cover({ web, db, liar }: Agents): Promise<void> {
  const now = nowUs();
  for (const agent of [web, db, liar]) {
    const sequence = agent.send({ sentUs: now, coveredUntilUs: now });
    await agent.answer(sequence);
  }
}

async function settled(collector: CollectorScene, agents: Agents, flows: number): Promise<ConnectionJson[]> {
  let seen: ConnectionJson[] = [];
  await until(
    `${flows} flows`,
    async () => {
      await cover(agents);
      const { join } = await collector.ask<StatusJson>('status');
      seen = await collector.ask<ConnectionJson[]>('flows');
      return join.pending === 0 && seen.length === flows;
    },
    30_000,
  );
  return seen;
}

t.test('the agent of another node cannot make a blocked connection delivered', async (t) => {
  const { collector, agents } = await scene(t);
  const now = nowUs();
  const times = { beganUs: now, firstUs: now, lastUs: now };
  const blocked = record(times);
  agents.web.heartbeat({ sentUs: now, state: { ...emptyState, interfaces: [webLink] } });
  agents.db.heartbeat({ sentUs: now, state: { ...emptyState, interfaces: [dbLink] } });
  agents.liar.heartbeat({ sentUs: now, state: { ...emptyState, interfaces: [{ ...dbLink, index: 30 }] } });
  await agents.liar.answer(
    agents.liar.send({
      sentUs: now,
      records: encodeRecords([{ ...atDestination(answered(times)), interfaceIndex: 30 }]),
    }),
  );
  await agents.web.answer(agents.web.send({ sentUs: now, records: encodeRecords([blocked]) }));
  const flows = await settled(collector, agents, 2);
  t.match(
    flows.find(({ verdict }) => verdict === 'denied'),
    { initiator: { pod: 'web' }, responder: { pod: 'db' }, delivered: 'no', observed: ['source'] },
  );
  t.match(
    flows.find(({ verdict }) => verdict === 'unknown'),
    { responder: { kind: 'unknown' } },
  );
  const kinds = (await collector.ask<FindingJson[]>('findings')).map(({ kind }) => kind);
  t.same(kinds, ['blocked'], 'what web tried is found, as it was');
  const { nodes } = await collector.ask<StatusJson>('status');
  t.match(
    nodes.list.find(({ node }) => node === 'n3'),
    { refusedClaims: { pods: 1 } },
  );
  t.match(collector.program.lines('claim of an agent refused'), [{ node: 'n3', claim: /uid-db/ }]);
});

t.test('the agent of another node cannot make a pod the initiator of a connection', async (t) => {
  const { collector, agents } = await scene(t);
  const now = nowUs();
  const times = { beganUs: now, firstUs: now, lastUs: now };
  agents.web.heartbeat({ sentUs: now, state: { ...emptyState, interfaces: [webLink] } });
  agents.db.heartbeat({ sentUs: now, state: { ...emptyState, interfaces: [dbLink] } });
  const claims = [{ ...webLink, index: 30 }, wireInterface({ index: 31, addresses: ['10.0.1.2'] })];
  agents.liar.heartbeat({ sentUs: now, state: { ...emptyState, interfaces: claims } });
  const lies = [30, 31, 32].map((interfaceIndex) =>
    answered({ ...times, interfaceIndex, initiatorPort: 50_000 + interfaceIndex, responder: ip('203.0.113.9') }),
  );
  await agents.liar.answer(agents.liar.send({ sentUs: now, records: encodeRecords(lies) }));
  const flows = await settled(collector, agents, 3);
  for (const flow of flows) t.match(flow, { initiator: { kind: 'unknown', ip: '10.0.1.2' }, verdict: 'unknown' });
  t.same(await collector.ask('findings'), []);
});

t.test('an agent cannot make the traffic of other nodes to the internet that of a node', async (t) => {
  const { collector, agents } = await scene(t);
  const now = nowUs();
  const times = { beganUs: now, firstUs: now, lastUs: now };
  agents.web.heartbeat({ sentUs: now, state: { ...emptyState, interfaces: [webLink] } });
  const nodeAddresses = ['203.0.113.9', '10.0.2.3', '192.0.2.2'];
  agents.liar.heartbeat({ sentUs: now, state: { ...emptyState, interfaces: [batchLink], nodeAddresses } });
  const egress = answered({ ...times, responder: ip('203.0.113.9') });
  await agents.web.answer(agents.web.send({ sentUs: now, records: encodeRecords([egress]) }));
  const flows = await settled(collector, agents, 1);
  t.match(flows, [{ responder: { kind: 'external', zone: 'internet' }, placement: 'egress' }]);
  t.match(await collector.ask('findings'), [{ kind: 'undeclared', severity: 'high' }]);
  const { nodes } = await collector.ask<StatusJson>('status');
  t.match(
    nodes.list.find(({ node }) => node === 'n3'),
    { refusedClaims: { nodeAddresses: 2 } },
  );
});

t.test('an agent cannot take the place of another one by its instance and sequence number', async (t) => {
  const { collector, agents } = await scene(t);
  const now = nowUs();
  const times = { beganUs: now, firstUs: now, lastUs: now };
  await agents.liar.answer(agents.liar.send({ sequence: 1, sentUs: now, coveredUntilUs: now }));
  agents.web.heartbeat({ sentUs: now, state: { ...emptyState, interfaces: [webLink] } });
  await agents.web.answer(agents.web.send({ sequence: 1, sentUs: now, records: encodeRecords([record(times)]) }));
  await until('its record is stored', async () => (await collector.ask<StatusJson>('status')).store.records === 1);
  const { nodes } = await collector.ask<StatusJson>('status');
  t.match(
    nodes.list.find(({ node }) => node === 'n1'),
    { recordsReceived: 1, duplicatesDropped: 0 },
  );
});

t.test('two agents of one node are reported, and the second one does not blind the first', async (t) => {
  const { collector, agents } = await scene(t);
  const now = nowUs();
  const state = { ...emptyState, interfaces: [webLink] };
  agents.web.heartbeat({ sentUs: now, state });
  const second = new RawAgent(t, collector.ingestPort, collector.tls('agent-n1'), 'n1', 'two');
  await second.answer(
    second.send({ sentUs: now, state: { ...state, interfaces: [webLink, wireInterface({ index: 8 })] } }),
  );
  for (let turns = 0; turns < 3; turns++) {
    await agents.web.answer(agents.web.send({ sentUs: nowUs(), state: { ...state, interfaces: [] } }));
    await second.answer(second.send({ sentUs: nowUs() }));
  }
  const { nodes } = await collector.ask<StatusJson>('status');
  t.match(
    nodes.list.find(({ node }) => node === 'n1'),
    { agents: 2, interfaces: 2 },
  );
  await collector.program.logged('several agents of one node');
  t.equal(collector.program.lines('several agents of one node').length, 1);
});
