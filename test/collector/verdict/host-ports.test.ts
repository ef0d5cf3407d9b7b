// A port of a node that leads to a pod (hostPort), without conntrack.
import t from 'tap';
import { ingressPolicy, nodes, podManifest, Scene } from '../../scene/pipeline.ts';
import { answered, atDestination, ip, record, second } from '../../scene/records.ts';

const nodeAddress = ip('192.0.2.2');
const gate = podManifest('gate', 'n2', '10.0.2.3').replace('containerPort: 5432', 'containerPort: 5432, hostPort: 80');

/** web on n1, and gate on n2, which has port 80 of its node. */
function scene(policies = ''): Scene {
  const made = new Scene(`${nodes}---${podManifest('web', 'n1', '10.0.1.2')}---${gate}${policies}`);
  made.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] }]);
  made.report('n2', [{ index: 9, podUid: 'uid-gate', addresses: ['10.0.2.3'] }]);
  return made;
}

const toNode = { responder: nodeAddress, responderPort: 80 };

t.test('a connection to the port of a node is evaluated by the policies of the pod, at its own port', async (t) => {
  const denied = scene(`---${ingressPolicy('gate', 'api')}`);
  denied.see('n1', record(toNode));
  denied.pass(15 * second);
  t.match(
    [...denied.connections.values()],
    [{ responder: { pod: 'gate' }, port: 5432, verdict: 'denied', translated: { responder: nodeAddress } }],
  );
  const allowed = scene(`---${ingressPolicy('gate', 'web')}`);
  allowed.see('n1', record(toNode));
  allowed.pass(15 * second);
  t.match([...allowed.connections.values()], [{ responder: { pod: 'gate' }, verdict: 'allowed' }]);
});

t.test('what both ends see is one connection', async (t) => {
  const made = scene(`---${ingressPolicy('gate', 'api')}`);
  const seen = answered({ isn: 7 });
  made.see('n1', { ...seen, ...toNode });
  made.see('n2', atDestination(seen));
  made.pass(15 * second);
  t.match([...made.connections.values()], [{ observed: ['source', 'destination'], verdict: 'denied' }]);
  t.equal(made.connections.size, 1);
  t.same(made.kinds(), ['bypass']);
});

t.test('other ports of the node, and the port after the pod is gone, are the node', async (t) => {
  const made = scene(`---${ingressPolicy('gate', 'api')}`);
  made.see('n1', record({ ...toNode, responderPort: 81 }));
  made.pass(15 * second);
  t.match([...made.connections.values()], [{ responder: { kind: 'node' }, verdict: 'undeclared' }]);
  made.gone(gate);
  made.pass(30 * second);
  const later = { beganUs: made.nowUs, firstUs: made.nowUs, lastUs: made.nowUs };
  made.see('n1', record({ ...toNode, ...later, initiatorPort: 40001 }));
  made.pass(15 * second);
  t.match([...made.connections.values()][1], { responder: { kind: 'node' }, verdict: 'undeclared' });
});
