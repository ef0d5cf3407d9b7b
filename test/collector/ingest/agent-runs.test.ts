import t from 'tap';
import { AgentRuns } from '../../../collector/ingest/agent-runs.ts';
import { second, t0 } from '../../scene/records.ts';

const at = (seconds: number) => t0 + seconds * second;

/** Two runs: the first covers 0 s to 60 s, the second watches since 75 s. */
function twoRuns(stopped: boolean): AgentRuns {
  const runs = new AgentRuns();
  runs.begin('n1', 'one', at(0));
  runs.cover('n1', 'one', at(60));
  if (stopped) runs.stop('n1', 'one');
  runs.begin('n1', 'two', at(75));
  return runs;
}

t.test('a killed agent leaves a gap from its last covered time until the next one watches', async (t) => {
  const runs = twoRuns(false);
  t.same(runs.gapsOf('n1'), [{ fromUs: at(60), untilUs: at(75), why: 'agent-killed' }]);
  t.same(runs.gapsOf('n2'), []);
  t.equal(runs.coveredUntilUs('n1'), at(75));
  t.equal(runs.coveredUntilUs('n2'), undefined);
});

t.test('a stopped agent leaves a gap too, with that reason', async (t) => {
  t.same(twoRuns(true).gapsOf('n1'), [{ fromUs: at(60), untilUs: at(75), why: 'agent-stopped' }]);
});

t.test('an agent that was replaced while it ran leaves no gap', async (t) => {
  const runs = new AgentRuns();
  runs.begin('n1', 'one', at(0));
  runs.cover('n1', 'one', at(60));
  runs.begin('n1', 'two', at(59));
  runs.cover('n1', 'one', at(61));
  runs.stop('n1', 'one');
  runs.cover('n1', 'two', at(80));
  t.same(runs.gapsOf('n1'), []);
  runs.begin('n1', 'three', at(90));
  t.same(runs.gapsOf('n1'), [{ fromUs: at(80), untilUs: at(90), why: 'agent-killed' }]);
});

t.test('a run that covers less than the one before does not move the beginning of a gap', async (t) => {
  const runs = new AgentRuns();
  runs.begin('n1', 'long', at(0));
  runs.cover('n1', 'long', at(60));
  runs.begin('n1', 'short', at(50));
  runs.begin('n1', 'next', at(70));
  t.same(runs.gapsOf('n1'), [{ fromUs: at(60), untilUs: at(70), why: 'agent-killed' }]);
});

t.test('runs are restored in any order, and go on', async (t) => {
  const before = twoRuns(false);
  before.cover('n1', 'two', at(100));
  const stored = before.takeChanged();
  for (const order of [stored, stored.toReversed()]) {
    const runs = new AgentRuns();
    runs.restore(order);
    t.same(runs.gapsOf('n1'), before.gapsOf('n1'));
    t.same(runs.takeChanged(), []);
    runs.cover('n1', 'two', at(90));
    t.same(runs.takeChanged(), [], 'time does not run backward');
    runs.cover('n1', 'two', at(110));
    runs.begin('n1', 'three', at(120));
    t.same(runs.gapsOf('n1').at(-1), { fromUs: at(110), untilUs: at(120), why: 'agent-killed' });
  }
});

t.test('only changed runs are stored, and again if that failed', async (t) => {
  const runs = twoRuns(true);
  const first = runs.takeChanged();
  t.equal(first.length, 2);
  runs.putBack(first);
  t.same(runs.takeChanged(), first);
  runs.begin('n1', 'two', at(99));
  runs.stop('n1', 'one');
  runs.stop('n1', 'nobody');
  runs.cover('n9', 'nobody', at(99));
  t.same(runs.takeChanged(), []);
  runs.cover('n1', 'two', at(99));
  t.match(runs.takeChanged(), [{ instance: 'two', watchingSinceUs: at(75), coveredUntilUs: at(99) }]);
});

t.test('the memory for the runs of a node is bounded', async (t) => {
  const runs = new AgentRuns();
  for (let i = 0; i < 1_000; i++) runs.begin('n1', `run ${i}`, at(i * 10));
  t.equal(runs.gapsOf('n1').length, 19);
  t.equal(runs.takeChanged().length, 20);
});
