import t from 'tap';
import { shop } from '../scene/pipeline.ts';
import { answered, atDestination, second } from '../scene/records.ts';
import { RestartingScene } from '../scene/restarting-scene.ts';

t.test('batches that were stored before a crash are evaluated after an hour without a collector', async (t) => {
  const world = new RestartingScene(shop);
  const see = (port: number) => {
    const { nowUs } = world.scene;
    const seen = answered({ initiatorPort: port, beganUs: nowUs, firstUs: nowUs, lastUs: nowUs });
    world.see('n1', seen);
    world.see('n2', atDestination(seen));
  };
  see(1);
  world.scene.advance(20 * second);
  world.publish();
  see(2);
  world.scene.nowUs += 3_600 * second;
  await world.restart();
  world.scene.advance(20 * second);
  world.publish();
  const ports = world.storedConnections().map(({ initiatorPort, packets }) => [initiatorPort, packets.forward]);
  t.same(ports.sort(), [
    [1, 2],
    [2, 2],
  ]);
});

t.test('batches that were stored before a crash are evaluated, though no connection was stored', async (t) => {
  const world = new RestartingScene(shop);
  world.see('n1', answered());
  world.scene.nowUs += 600 * second;
  await world.restart();
  world.scene.advance(20 * second);
  world.publish();
  t.equal(world.connections.size, 1);
});
