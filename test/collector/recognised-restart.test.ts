// Policies of other APIs over a restart: their versions are stored, and their findings are counted on.
import t from 'tap';
import { ingressPolicy, shop } from '../scene/pipeline.ts';
import { answered, atDestination, second } from '../scene/records.ts';
import { RestartingScene } from '../scene/restarting-scene.ts';

const webLink = { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] };
const dbLink = { index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] };
const cilium = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: db, namespace: shop }
spec: { endpointSelector: { matchLabels: { app: db } }, ingress: [{ fromEndpoints: [{ matchLabels: { app: web } }] }] }
`;

class Restarted extends RestartingScene {
  #port = 40_000;

  report(): void {
    this.scene.report('n1', [webLink]);
    this.scene.report('n2', [dbLink]);
  }

  /** An answered connection from web to db. Returns its verdict, now and later. */
  connect(): () => string {
    this.#port += 1;
    const port = this.#port;
    const { nowUs } = this.scene;
    const seen = answered({ beganUs: nowUs, firstUs: nowUs, lastUs: nowUs + 1000, initiatorPort: port, ended: true });
    this.see('n1', seen);
    this.see('n2', atDestination(seen));
    this.scene.pass(20 * second);
    this.publish();
    return () => this.storedConnections().find((one) => one.initiatorPort === port)!.verdict;
  }
}

t.test('after a restart, each connection has the verdict of its time, and the finding counts on', async (t) => {
  const scene = new Restarted(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.report();
  scene.scene.pass(20 * second);
  scene.publish();
  const before = scene.connect();
  scene.change('put', cilium);
  scene.scene.pass(20 * second);
  const during = scene.connect();
  await scene.restart();
  scene.report();
  const later = scene.connect();
  scene.change('gone', cilium);
  scene.scene.pass(20 * second);
  const after = scene.connect();
  t.same([before(), during(), later(), after()], ['denied', 'unknown', 'unknown', 'denied']);
  const counts = scene.storedFindings().map(({ kind, connections, evidence }) => [kind, connections, evidence.reason]);
  t.same(counts.sort(), [
    ['bypass', 2, undefined],
    ['unevaluated', 2, 'CiliumNetworkPolicy shop/db is not evaluated'],
  ]);
});
