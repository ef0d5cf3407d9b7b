// A document of the collector's folder that cannot be read: verdicts that it could change are unknown until it is fixed.
import t from 'tap';
import { parseManifest } from '../../../cluster/manifests/manifest.ts';
import { ingressPolicy, Scene, shop } from '../../scene/pipeline.ts';
import { answered, atDestination, second } from '../../scene/records.ts';

const [ofShop, ofBank] = ['shop', 'bank'].map((namespace) => {
  const text = `kind: NetworkPolicy\nmetadata: { name: p, namespace: ${namespace} }\nspec: [\n`;
  return parseManifest(text, `${namespace}.yaml`).entries[0]!.object;
}) as [never, never];

/** The connections from web to db, each with another port. */
function shopScene(): { scene: Scene; connect: () => string } {
  const scene = new Scene(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] }]);
  scene.report('n2', [{ index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] }]);
  let port = 40_000;
  const connect = (): string => {
    port += 1;
    const times = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs + 1000 };
    const seen = answered({ ...times, initiatorPort: port, ended: true });
    scene.see('n1', seen);
    scene.see('n2', atDestination(seen));
    scene.pass(20 * second);
    const { verdict, unknownReason } = [...scene.connections.values()].find((one) => one.initiatorPort === port)!;
    return unknownReason === '' ? verdict : `${verdict}: ${unknownReason}`;
  };
  scene.pass(20 * second);
  return { scene, connect };
}

t.test(
  'a denied connection is unknown while a document of its namespace cannot be read, and is no bypass',
  async (t) => {
    const { scene, connect } = shopScene();
    scene.cluster.receive({ type: 'put', object: ofShop, atUs: scene.nowUs });
    scene.pass(20 * second);
    t.equal(connect(), 'unknown: a document that cannot be read could change the verdict: shop.yaml:1');
    t.notOk(scene.kinds().includes('bypass'));
    scene.cluster.receive({ type: 'gone', object: ofShop, atUs: scene.nowUs });
    scene.pass(20 * second);
    t.equal(connect(), 'denied');
  },
);

t.test('a document of another namespace makes no difference', async (t) => {
  const { scene, connect } = shopScene();
  scene.cluster.receive({ type: 'put', object: ofBank, atUs: scene.nowUs });
  scene.pass(20 * second);
  t.equal(connect(), 'denied');
});
