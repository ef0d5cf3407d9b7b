// A record that no program can show must not stop the answers to everybody, also if an older version has stored it.
import t from 'tap';
import { nowUs } from '../../cluster/clock.ts';
import { encodeRecords } from '../../proto/encode.ts';
import { collectorScene } from '../scene/collector-process.ts';
import { shop } from '../scene/pipeline.ts';
import { RawAgent } from '../scene/raw-agent.ts';
import { answered } from '../scene/records.ts';
import { until } from '../scene/until.ts';

t.test('a record with an impossible age is refused, and the lists still answer, also after a restart', async (t) => {
  let collector = await collectorScene(t, shop);
  const agent = new RawAgent(t, collector.ingestPort, collector.tls('agent-n1'), 'n1');
  const now = nowUs();
  const times = { beganUs: now, firstUs: now, lastUs: now };
  const bad = encodeRecords([answered(times)]);
  bad.age[0] = 2 ** 63;
  const good = encodeRecords([answered({ ...times, initiatorPort: 40_001 })]);
  const first = agent.send({ sentUs: now, records: bad });
  const second = agent.send({ sentUs: now, records: good });
  t.match(await agent.answer(first), /^records\.age\[0\] is 9223372036854776000; allowed is 0 to/);
  t.equal(await agent.answer(second), '');
  await until('the good one is listed', async () => (await collector.ask<unknown[]>('flows')).length === 1);
  t.type(await collector.ask('findings'), Array);
  collector = await collector.restart();
  t.equal((await collector.ask<unknown[]>('flows')).length, 1);
  t.type(await collector.ask('findings'), Array);
});
