import t from 'tap';
import { AgentRuns } from '../../collector/ingest/agent-runs.ts';
import { SavedRuns, wallOffsetAtStart } from '../../collector/saved-runs.ts';
import type { StoredClock } from '../../collector/store/store.ts';
import type { AgentRun } from '../../model/agent-run.ts';
import { second, t0 } from '../scene/records.ts';
import { until } from '../scene/until.ts';

const hour = 3600 * second;

/** A store in memory that refuses writes while `broken`. */
function memoryStore() {
  const runs = new Map<string, AgentRun>();
  const store = {
    broken: false,
    writes: 0,
    clock: undefined as StoredClock | undefined,
    agentRuns: async () => [...runs.values()].map((run) => ({ ...run })),
    async writeAgentRuns(written: readonly AgentRun[]) {
      if (store.broken) throw new Error('disk full');
      store.writes += 1;
      for (const run of written) runs.set(`${run.node} ${run.instance}`, { ...run });
    },
    async writeClock(clock: StoredClock) {
      if (store.broken) throw new Error('disk full');
      store.clock = clock;
    },
  };
  return store;
}

const noLog = { error: () => undefined };

t.test('a run is stored soon after it begins and stops, its coverage when it is saved', async (t) => {
  const store = memoryStore();
  const runs = new AgentRuns();
  const saved = new SavedRuns(runs, store, { nowUs: () => t0, wallOffsetUs: 0 }, noLog);
  await saved.restore();
  runs.begin('n1', 'one', t0);
  await until('it is stored', async () => (await store.agentRuns()).length > 0);
  t.match(await store.agentRuns(), [{ node: 'n1', instance: 'one', coveredUntilUs: t0, stopped: false }]);
  runs.cover('n1', 'one', t0 + second);
  await saved.save();
  t.match(await store.agentRuns(), [{ coveredUntilUs: t0 + second }]);
  runs.stop('n1', 'one');
  await until('its stop is stored', async () => (await store.agentRuns()).every(({ stopped }) => stopped));
});

t.test('an agent that begins again and again does not keep the store busy', async (t) => {
  const store = memoryStore();
  const runs = new AgentRuns();
  const saved = new SavedRuns(runs, store, { nowUs: () => t0, wallOffsetUs: 0 }, noLog);
  await saved.restore();
  for (let i = 0; i < 1_000; i++) runs.begin('n1', `run ${i}`, t0 + i);
  await until('they are stored', async () => (await store.agentRuns()).length > 0);
  t.equal(store.writes, 1);
});

t.test('what the store refuses is stored later', async (t) => {
  const store = memoryStore();
  const runs = new AgentRuns();
  const clock = { nowUs: () => t0, wallOffsetUs: 0 };
  const saved = new SavedRuns(runs, store, clock, noLog);
  await saved.restore();
  store.broken = true;
  clock.wallOffsetUs = hour;
  runs.begin('n1', 'one', t0);
  await saved.save();
  t.same(await store.agentRuns(), []);
  store.broken = false;
  await saved.save();
  t.match(await store.agentRuns(), [{ instance: 'one' }]);
  t.match(store.clock, { wallOffsetUs: hour });
});

t.test('a restart of the collector knows the runs, and goes on with the same clock', async (t) => {
  const store = memoryStore();
  const clock = { nowUs: () => t0, wallOffsetUs: 0 };
  const first = new AgentRuns();
  const saved = new SavedRuns(first, store, clock, noLog);
  await saved.restore();
  first.begin('n1', 'one', t0);
  first.cover('n1', 'one', t0 + 60 * second);
  Object.assign(clock, { nowUs: () => t0 + 60 * second, wallOffsetUs: -hour });
  await saved.save();
  t.same(store.clock, { nowUs: t0 + 60 * second, wallOffsetUs: -hour });

  const runs = new AgentRuns();
  await new SavedRuns(runs, store, clock, noLog).restore();
  runs.begin('n1', 'two', t0 + 70 * second);
  t.same(runs.gapsOf('n1'), [{ fromUs: t0 + 60 * second, untilUs: t0 + 70 * second, why: 'agent-killed' }]);
});

t.test('the clock goes on with the difference to the wall clock that was stored', async (t) => {
  t.equal(wallOffsetAtStart(undefined, t0), 0);
  t.equal(wallOffsetAtStart({ nowUs: t0, wallOffsetUs: 0 }, t0 + 5 * second), 0);
  t.equal(wallOffsetAtStart({ nowUs: t0, wallOffsetUs: -hour }, t0 - hour + 5 * second), -hour);
});

t.test('the clock does not go back if the wall clock was set back while the collector did not run', async (t) => {
  const offsetUs = wallOffsetAtStart({ nowUs: t0, wallOffsetUs: 0 }, t0 - hour);
  t.equal(t0 - hour - offsetUs, t0);
});
