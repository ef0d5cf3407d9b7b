import t from 'tap';
import { nowUs } from '../../cluster/clock.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { collectorScene } from '../scene/collector-process.ts';
import { ingressPolicy, shop } from '../scene/pipeline.ts';
import { emptyState, RawAgent, wireInterface } from '../scene/raw-agent.ts';
import { answered, second } from '../scene/records.ts';
import { until } from '../scene/until.ts';

const maxWaitMs = 60_000;
type Flow = { verdict: string; initiatorPort: number; packets: { forward: number } };

t.test('after a restart, a connection is judged by the policies and owners of its time', async (t) => {
  const first = await collectorScene(t, shop);
  const beganUs = Math.round(nowUs() - 20 * second);
  const send = async (port: number, packets: number) => {
    const agent = new RawAgent(t, port, first.tls('agent-n1'), 'n1', `instance-${packets}`);
    const sentUs = Math.round(nowUs());
    const seen = { beganUs, firstUs: beganUs, lastUs: sentUs, packets: { forward: packets, reverse: 1 } };
    const interfaces = [wireInterface({ podUid: 'uid-web', addresses: ['10.0.1.2'] })];
    const records = encodeRecords([answered({ ...seen, podUid: 'uid-web' })]);
    const sequence = agent.send({ sentUs, coveredUntilUs: sentUs, state: { ...emptyState, interfaces }, records });
    t.equal(await agent.answer(sequence), '');
  };
  await send(first.ingestPort, 2);
  const flows = async (scene: typeof first) => (await scene.ask('flows')) as Flow[];
  await until('the connection is judged', async () => (await flows(first)).length === 1, maxWaitMs);
  t.match(await flows(first), [{ verdict: 'undeclared', responder: { pod: 'db' } }]);

  await first.program.end();
  const [namespace, n1, n2, web] = shop.split('---');
  first.writeManifests([namespace, n1, n2, web, ingressPolicy('db', 'api')].join('---'));
  const again = await first.restart();
  await send(again.ingestPort, 5);
  await until('the later record is joined', async () => (await flows(again))[0]!.packets.forward > 2, maxWaitMs);
  t.match(await flows(again), [{ verdict: 'undeclared', responder: { pod: 'db' } }]);
});
