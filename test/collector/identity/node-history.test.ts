import t from 'tap';
import { Scene, shop } from '../../scene/pipeline.ts';
import { answered, ip, second, t0 } from '../../scene/records.ts';

const nodeManifest = (address: string) => `
apiVersion: v1
kind: Node
metadata: { name: n2 }
spec: { podCIDRs: [10.0.2.0/24] }
status: { addresses: [{ type: InternalIP, address: ${address} }] }
`;

const toNode = { responder: ip('192.0.2.2'), responderPort: 10250 };

t.test('a connection to a node keeps its owner when the node is deleted', async (t) => {
  const scene = new Scene(shop);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] }]);
  scene.see('n1', answered(toNode));
  scene.pass(20 * second);
  t.match([...scene.connections.values()], [{ responder: { kind: 'node', node: 'n2' } }]);
  scene.gone(nodeManifest('192.0.2.2'));
  scene.pass(5 * second);
  scene.see('n1', answered({ ...toNode, firstUs: scene.nowUs, lastUs: scene.nowUs }));
  scene.pass(20 * second);
  t.match([...scene.connections.values()], [{ responder: { kind: 'node', node: 'n2' }, packets: { forward: 4 } }]);
});

t.test('an address belongs to the node that has it at that time', async (t) => {
  const { cluster } = new Scene(shop);
  const [old, now] = [ip('192.0.2.2'), ip('192.0.2.3')];
  const change = (type: 'put' | 'gone', address: string, atUs: number) => {
    for (const object of new Scene('').objects(nodeManifest(address))) cluster.receive({ type, object, atUs });
  };
  change('put', now, t0 + 60 * second);
  t.equal(cluster.nodeOf(old, t0)?.name, 'n2');
  t.equal(cluster.nodeOf(old, t0 + 70 * second), undefined);
  t.equal(cluster.nodeOf(now, t0 + 70 * second)?.name, 'n2');
  t.equal(cluster.nodeNow(old), undefined);
  change('gone', now, t0 + 120 * second);
  t.equal(cluster.nodeNow(now), undefined);
  t.equal(cluster.nodeOf(now, t0 + 100 * second)?.name, 'n2');
  t.same(cluster.nodeNames, ['n1']);
  change('put', now, t0 + 121 * second);
  t.equal(cluster.nodeOf(now, t0 + 120 * second)?.name, 'n2', 'it may be reported late');
});
