// Fifty restarts under traffic, and under changes of everything in the cluster, change no answer: the store is the same
// before and after each, and at the end it is that of a run without a restart.
import t, { type Test } from 'tap';
import { second } from '../scene/records.ts';
import { Run, Script } from '../scene/restart-script.ts';
import type { RestartingScene } from '../scene/restarting-scene.ts';

const shown = ({ connections, findings }: RestartingScene) => ({
  connections: [...connections.values()]
    .map((text) => {
      const { sides: _, group: __, ...rest } = JSON.parse(text);
      return rest;
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1)),
  findings: [...findings.values()].map((text) => JSON.parse(text)).sort((a, b) => (a.id < b.id ? -1 : 1)),
});

async function runOf(t: Test, script: Script, withRestarts: boolean): Promise<RestartingScene> {
  const run = new Run();
  const { world } = run;
  for (const [index, { afterUs, actions, restart }] of script.steps.entries()) {
    for (const action of actions) action(run);
    run.pass(afterUs);
    if (!withRestarts || restart === undefined) {
      world.publish();
      continue;
    }
    if (restart.published) world.publish();
    const before = shown(world);
    await run.restart(restart.reconnectUs);
    if (!restart.published) continue;
    world.scene.pipeline.tick(world.scene.nowUs);
    world.publish();
    t.same(shown(world), before, `the store is the same after the restart at step ${index}`);
  }
  run.pass(300 * second);
  world.publish();
  return world;
}

for (const seed of [1, 2, 3, 4, 7, 9, 17, 29]) {
  t.test(`fifty restarts under traffic and changes of the cluster change no answer, seed ${seed}`, async (t) => {
    const script = new Script(seed, 'calm');
    const whole = shown(await runOf(t, script, false));
    const restarted = shown(await runOf(t, script, true));
    t.ok(whole.connections.length > 100 && whole.findings.length > 3, 'there was traffic, and there are findings');
    t.same(restarted, whole);
  });
}

// What is evaluated in the middle of a change, or before a record of half a minute ago comes, depends on that moment. So the
// end is not compared with that of another run.
for (const seed of [1, 2]) {
  t.test(`restarts change nothing while records are late and Services change at once, seed ${seed}`, async (t) => {
    const { connections } = shown(await runOf(t, new Script(seed, 'rough'), true));
    t.ok(connections.length > 100, 'there was traffic');
  });
}
