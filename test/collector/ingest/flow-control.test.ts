import t from 'tap';
import { FairTurns } from '../../../collector/ingest/fair-turns.ts';
import { FlowControl } from '../../../collector/ingest/flow-control.ts';
import { until } from '../../scene/until.ts';

const limits = { maxAgentRate: 1_000_000, burstSeconds: 10, maxUnfinished: 3, maxUnfinishedBytes: 1_000 };

function control(change: Partial<typeof limits> = {}) {
  let nowMs = 0;
  const flow = new FlowControl({ ...limits, ...change }, new FairTurns(), () => nowMs);
  const admitted: string[] = [];
  return {
    flow,
    admitted,
    admit: (agent: string, bytes: number) => void flow.admit(agent, bytes).then(() => admitted.push(agent)),
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

/** All turns that are possible now have run. */
async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

t.test('an agent has at most so many messages unfinished, and the others are not affected', async (t) => {
  const { flow, admitted, admit } = control();
  for (let i = 0; i < 10; i++) admit('bad', 10);
  await settled();
  t.same(admitted, ['bad', 'bad', 'bad']);
  admit('honest', 10);
  await settled();
  t.same(admitted.slice(3), ['honest']);
  flow.finished('bad', 10);
  await settled();
  t.same(admitted.slice(4), ['bad'], 'one more for each that is finished');
});

t.test('the bytes of unfinished messages are limited, but a single one may be larger', async (t) => {
  const { flow, admitted, admit } = control();
  admit('a', 5_000);
  admit('a', 10);
  await settled();
  t.equal(admitted.length, 1);
  flow.finished('a', 5_000);
  await settled();
  t.equal(admitted.length, 2);
});

t.test('an agent above its rate has to wait, and the others do not', async (t) => {
  // 30 bytes count as a record, and a message as 10: a burst of 20 is two empty messages.
  const { admitted, admit } = control({ maxAgentRate: 2, maxUnfinished: 100 });
  for (let i = 0; i < 5; i++) admit('bad', 0);
  admit('honest', 0);
  await settled();
  t.same(admitted.toSorted(), ['bad', 'bad', 'honest']);
});

t.test('a slowed agent stays slowed on a new stream', async (t) => {
  const { flow, admitted, admit, pass } = control({ maxAgentRate: 1, burstSeconds: 10, maxUnfinished: 100 });
  admit('bad', 0);
  admit('bad', 0);
  await settled();
  flow.finished('bad', 0);
  flow.finished('bad', 0);
  flow.forget('bad');
  admit('bad', 0);
  await settled();
  t.equal(admitted.length, 1);
  flow.finished('bad', 0);
  pass(60_000);
  flow.forget('bad');
  admit('bad', 0);
  await settled();
  t.equal(admitted.length, 2, 'until it has waited long enough');
});

t.test('a slowed agent goes on when it has waited', async () => {
  const { admitted, admit } = control({ maxAgentRate: 1_000, burstSeconds: 0.01, maxUnfinished: 100 });
  for (let i = 0; i < 4; i++) admit('bad', 0);
  await until('all are admitted', () => admitted.length === 4);
});
