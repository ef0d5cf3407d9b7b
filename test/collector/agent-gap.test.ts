// The agent of a node is killed and started again. What its kernel held is lost, so nothing is known of that time.
import t from 'tap';
import { dbLink, webLink } from '../scene/claims.ts';
import { ingressPolicy, Scene, shop } from '../scene/pipeline.ts';
import { record, second } from '../scene/records.ts';

/** web tries to reach db, which is denied. n2 is the node of db. */
function scene(): Scene {
  const scene = new Scene(shop + ingressPolicyDocument);
  scene.report('n1', [webLink]);
  scene.report('n2', [dbLink]);
  scene.pass(second);
  return scene;
}

const ingressPolicyDocument = `---${ingressPolicy('db', '')}`;

/** An unanswered SYN of web now. */
function attempt(scene: Scene, port: number): void {
  const at = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
  scene.see('n1', record({ initiatorPort: port, ...at }));
}

function deliveredTo(scene: Scene, port: number): unknown {
  return [...scene.connections.values()].find(({ initiatorPort }) => initiatorPort === port)?.delivered;
}

t.test('while both agents run, an attempt that did not arrive is not delivered', async (t) => {
  const running = scene();
  attempt(running, 1000);
  running.pass(5 * second);
  t.match(deliveredTo(running, 1000), { delivered: 'no' });
});

t.test('delivery in the gap is unknown, whenever the next agent starts', async (t) => {
  for (const startAfter of [0.5, 3, 8, 60]) {
    const broken = scene();
    broken.killAgent('n2');
    broken.pass(second / 4);
    attempt(broken, 1000);
    broken.pass(startAfter * second);
    attempt(broken, 1001);
    const startUs = broken.nowUs + second / 8;
    broken.pass(second / 8);
    broken.startAgent('n2', [dbLink]);
    broken.pass(30 * second);
    for (const port of [1000, 1001])
      t.match(deliveredTo(broken, port), { delivered: 'unknown' }, `${port}, started after ${startAfter} s`);
    t.match(broken.agents.runs.gapsOf('n2'), [{ untilUs: startUs, why: 'agent-killed' }]);
    t.same(broken.agents.runs.gapsOf('n1'), []);
    attempt(broken, 1002);
    broken.pass(5 * second);
    t.match(deliveredTo(broken, 1002), { delivered: 'no' }, 'after the gap it is known again');
  }
});

t.test('delivery before the gap stays known', async (t) => {
  const broken = scene();
  attempt(broken, 1000);
  broken.pass(5 * second);
  broken.killAgent('n2');
  broken.pass(10 * second);
  broken.startAgent('n2', [dbLink]);
  broken.pass(30 * second);
  t.match(deliveredTo(broken, 1000), { delivered: 'no' });
});

t.test('no agent of the node starts again: delivery stays unknown', async (t) => {
  const broken = scene();
  broken.killAgent('n2');
  broken.pass(second / 4);
  attempt(broken, 1000);
  broken.pass(300 * second);
  attempt(broken, 1001);
  broken.pass(30 * second);
  for (const port of [1000, 1001]) t.match(deliveredTo(broken, port), { delivered: 'unknown' });
  t.same(broken.agents.runs.gapsOf('n2'), [], 'the gap lasts: the node is away');
  t.equal(broken.agents.reportingAgent('n2', broken.nowUs), undefined);
});

t.test('a batch that the collector refuses is a loss at once, before the agent reports it', async (t) => {
  const refusing = scene();
  attempt(refusing, 1000);
  refusing.agents.loseBatch('n2', 'n2', refusing.nowUs);
  refusing.pass(5 * second);
  t.match(deliveredTo(refusing, 1000), { delivered: 'unknown', why: 'losses' });
});
