// Ingest over real gRPC and mutual TLS: what one peer does never stops the others.
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { status } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { encodeRecords } from '../../../proto/encode.ts';
import { ingestScene } from '../../scene/ingest.ts';
import type { RawAgent } from '../../scene/raw-agent.ts';
import { record, t0 } from '../../scene/records.ts';
import { until } from '../../scene/until.ts';

const records = (count: number) => encodeRecords(Array.from({ length: count }, (_, i) => record({ initiatorPort: i })));

/** A store that writes only when the test says so. */
function heldStore() {
  const held: { node: string; write(): void }[] = [];
  return {
    held,
    store: ({ node }: { node: string }) =>
      new Promise<boolean>((resolve) => held.push({ node, write: () => resolve(true) })),
    nodes: () => held.map(({ node }) => node),
  };
}

t.test('an agent that floods does not delay the batch of another one', async (t) => {
  const { held, store, nodes } = heldStore();
  const scene = await ingestScene(t, { store });
  const [bad, honest] = [scene.agent('n1'), scene.agent('n2')];
  for (let i = 0; i < 300; i++) bad.send({ records: records(1_000) });
  await until('the store is asked for the first ones', () => held.length >= 8);
  const sequence = honest.send({ records: records(1) });
  await until('the store is asked for that of the other agent', () => nodes().includes('n2'));
  t.ok(nodes().indexOf('n2') <= 8, `${nodes().indexOf('n2')} batches were before it, though 300 were sent`);
  held.find(({ node }) => node === 'n2')!.write();
  t.equal(await honest.answer(sequence), '');
  t.equal(nodes().filter((node) => node === 'n1').length, 8, 'and no further one was read');
  t.same(
    bad.acks.map((ack) => ack.sequence).filter((one) => one > 0),
    [],
  );
});

t.test('what the collector does not read stays with the agent', async (t) => {
  const { held, store } = heldStore();
  const scene = await ingestScene(t, { store });
  const bad = scene.agent('n1');
  const large = records(20_000);
  for (let i = 0; i < 40; i++) bad.send({ records: large });
  await until('the store is asked', () => held.length >= 1);
  const honest = scene.agent('n2');
  honest.send({ records: records(1) });
  await until('the store is asked for the other one', () => held.length >= 2);
  t.ok(bad.unsent > 20, `${bad.unsent} of 40 messages wait at the agent`);
});

t.test('an agent above its rate is slowed, and another one is not', async (t) => {
  // A message counts as ten records at least: the burst is over after ten messages.
  const scene = await ingestScene(t, { maxAgentRate: 10 });
  const [bad, honest] = [scene.agent('n1'), scene.agent('n2')];
  const sent = Array.from({ length: 30 }, () => bad.send());
  await until('some are stored', () => scene.asked.length >= 9);
  const sequence = honest.send();
  t.equal(await honest.answer(sequence), '');
  t.ok(scene.asked.filter(({ node }) => node === 'n1').length < sent.length / 2);
  t.equal(bad.error, undefined, 'it is slowed, not refused');
});

t.test('a batch that the store refuses is refused alone, and the stream goes on', async (t) => {
  const store = async ({ sequence }: { sequence: number }) => (sequence === 2 ? { refused: 'the value is odd' } : true);
  const scene = await ingestScene(t, { store });
  const agent = scene.agent('n1');
  const [one, two, three] = [agent.send(), agent.send(), agent.send()];
  t.same([await agent.answer(one), await agent.answer(two), await agent.answer(three)], ['', 'the value is odd', '']);
});

t.test('a large batch is joined in several turns, and its names once', async (t) => {
  const scene = await ingestScene(t);
  const agent = scene.agent('n1');
  await agent.answer(agent.send({ records: records(2_500) }));
  t.same(
    scene.processed.map(({ records: some }) => some.length),
    [1_000, 1_000, 500],
  );
});

t.test('a stream that stops in the middle of a message is ended', async (t) => {
  const scene = await ingestScene(t, { limits: { firstMessageMs: 50 } });
  const session = connectHttp2(`https://localhost:${scene.port}`, scene.tls('agent-n1'));
  t.teardown(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': '/waybill.v1.FlowIngest/Stream',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.write(Buffer.from([0, 0, 0, 0, 99, 1, 2, 3]));
  const [headers] = await once(stream, 'response');
  t.match(headers, { 'grpc-status': String(status.DEADLINE_EXCEEDED) });
});

t.test('a stream that sends nothing is ended', async (t) => {
  const scene = await ingestScene(t, { limits: { firstMessageMs: 50, nextMessageMs: 200 } });
  const [silent, once_] = [scene.agent('n1'), scene.agent('n2')];
  await once_.answer(once_.send());
  await until('both are ended', () => silent.error !== undefined && once_.error !== undefined);
  t.match(silent.error, { code: status.DEADLINE_EXCEEDED, details: 'no message for 0.05 s' });
  t.match(once_.error, { code: status.DEADLINE_EXCEEDED, details: 'no message for 0.2 s' });
});

t.test('a slowed stream is not silent', async (t) => {
  const { held, store } = heldStore();
  const scene = await ingestScene(t, { store, limits: { nextMessageMs: 300 } });
  const agent = scene.agent('n1');
  for (let i = 0; i < 20; i++) agent.send();
  await until('the store is asked', () => held.length === 8);
  await new Promise((resolve) => setTimeout(resolve, 600));
  t.equal(agent.error, undefined);
});

t.test('one node has a few streams; the newest are kept', async (t) => {
  const scene = await ingestScene(t);
  const streams: RawAgent[] = [];
  for (let i = 0; i < 5; i++) {
    const stream = scene.agent('n1', `instance-${i}`);
    streams.push(stream);
    await stream.answer(stream.send());
  }
  await until('the oldest is ended', () => streams[0]!.error !== undefined);
  t.match(streams[0]!.error, { code: status.RESOURCE_EXHAUSTED, details: 'more than 4 streams of node n1' });
  t.equal(await streams[4]!.answer(streams[4]!.send()), '');
  const other = scene.agent('n2');
  t.equal(await other.answer(other.send()), '');
});

t.test('bytes that are no message of the protocol end the stream, and nothing else', async (t) => {
  const scene = await ingestScene(t);
  const [bad, honest] = [scene.agent('n1'), scene.agent('n2')];
  bad.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
  await until('it is ended', () => bad.error !== undefined);
  t.match(bad.error, { code: status.INVALID_ARGUMENT });
  t.equal(await honest.answer(honest.send()), '');
});

t.test('a thousand refusals are one line of the log, and are counted', async (t) => {
  const scene = await ingestScene(t);
  const bad = scene.agent('n1');
  const bads = Array.from({ length: 1_000 }, () => bad.send({ coveredUntilUs: 4 * t0 }));
  await bad.answer(bads.at(-1)!);
  t.equal(scene.log.filter(({ msg }) => msg === 'batch refused').length, 1);
  t.match(scene.log, [{ node: 'n1', reason: /^coveredUntilUs is at \d+, more than two hours after sentUs \d+$/ }]);
  t.equal(scene.agents.refusedBatches('n1'), 1_000);
});

/** Connections that send nothing. */
async function bareConnections(t: Test, port: number, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(port, 'localhost'));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) socket.on('error', () => undefined);
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  return sockets;
}

t.test('600 connections that never finish their handshake do not keep an agent out', async (t) => {
  const scene = await ingestScene(t);
  const sockets = await bareConnections(t, scene.port, 600);
  for (const socket of sockets.slice(300)) socket.write(Buffer.from('16030100', 'hex')); // the beginning of a handshake
  const agent = scene.agent('n1');
  t.equal(await agent.answer(agent.send()), '');
  await until('those above the limit are closed', () => sockets.filter(({ destroyed }) => destroyed).length >= 100);
});

t.test('a certificate has a few connections, and does not keep the others out', async (t) => {
  const scene = await ingestScene(t);
  const closed: number[] = [];
  for (let i = 0; i < 20; i++) {
    const socket = connectTls({ host: 'localhost', port: scene.port, ALPNProtocols: ['h2'], ...scene.tls('agent-n1') });
    socket.on('error', () => undefined);
    socket.once('close', () => closed.push(i));
    t.teardown(() => socket.destroy());
    await once(socket, 'secureConnect');
  }
  await until('the last twelve are closed', () => closed.length >= 12);
  const other = scene.agent('n2');
  t.equal(await other.answer(other.send()), '');
});
