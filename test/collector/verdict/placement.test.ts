// Services without conntrack: the backend, the placement and the verdict of a connection that the node itself dropped.
import t from 'tap';
import { ingressPolicy, podManifest, Scene, shop } from '../../scene/pipeline.ts';
import { ip, record, reset, second } from '../../scene/records.ts';

const address = ip('10.96.0.10');

function slice(endpoints: readonly string[]): string {
  return `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: sql-1, namespace: shop, labels: { kubernetes.io/service-name: sql } }
addressType: IPv4
endpoints: [${endpoints.map((one) => `{ addresses: [${one}] }`).join(', ')}]
ports: [{ name: sql, port: 5432, protocol: TCP }]
`;
}

/** A Service of pods that are `endpoints`, and no policy but `policies`. */
function scene(endpoints: readonly string[], policies = ''): Scene {
  const pods = `${podManifest('db2', 'n2', '10.0.2.4')}---${podManifest('near', 'n1', '10.0.1.5')}`;
  const made = new Scene(`${shop}---${pods}---
apiVersion: v1
kind: Service
metadata: { name: sql, namespace: shop }
spec: { clusterIP: ${address}, clusterIPs: [${address}], ports: [{ name: sql, port: 80 }], selector: { app: db } }
${policies}`);
  made.put(slice(endpoints));
  made.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] }]);
  made.report('n2', [{ index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] }]);
  return made;
}

const toService = { responder: address, responderPort: 80, synRetries: 1 };

t.test('a Service port with one ready endpoint has that backend, and its policies decide', async (t) => {
  const allowed = scene(['10.0.2.3'], `---${ingressPolicy('db', 'web')}`);
  allowed.see('n1', record(toService));
  allowed.pass(15 * second);
  t.match(
    [...allowed.connections.values()],
    [{ responder: { pod: 'db' }, placement: 'cross-node', verdict: 'allowed', translated: { responder: address } }],
  );
  t.same(allowed.kinds(), ['broken'], 'what the node dropped is not missed');

  const near = scene(['10.0.1.5']);
  near.see('n1', reset(toService));
  near.pass(15 * second);
  t.match([...near.connections.values()], [{ placement: 'same-node' }]);
  t.same(near.kinds(), [], 'a pod of the own node is not undeclared');

  const denied = scene(['10.0.2.3'], `---${ingressPolicy('db', 'api')}`);
  denied.see('n1', record(toService), record({ initiatorPort: 2 }));
  denied.pass(15 * second);
  t.match([...denied.findings.values()], [{ kind: 'blocked', responder: { workload: 'db' }, connections: 2 }]);
  t.equal(denied.findings.size, 1, 'to the Service and to its endpoint is one finding');
});

t.test('endpoints that share a node give the placement', async (t) => {
  const far = scene(['10.0.2.3', '10.0.2.4']);
  far.see('n1', reset(toService));
  far.pass(15 * second);
  t.match([...far.connections.values()], [{ responder: { kind: 'service' }, placement: 'cross-node' }]);
});

t.test('otherwise the connection is unplaced, and never undeclared', async (t) => {
  const mixed = scene(['10.0.2.3', '10.0.1.5']);
  mixed.see('n1', reset(toService));
  mixed.pass(15 * second);
  t.match([...mixed.connections.values()], [{ responder: { kind: 'service' }, placement: 'unplaced' }]);
  t.same(mixed.kinds(), []);
});

t.test('a connection keeps the endpoints of its time when the Service is scaled or deleted later', async (t) => {
  const policies = `---${ingressPolicy('db', 'api')}---${ingressPolicy('db2', 'web')}`;
  const service = '{ apiVersion: v1, kind: Service, metadata: { name: sql, namespace: shop } }';
  for (const [change, now] of [
    ['scaled up', (one: Scene) => one.put(slice(['10.0.2.3', '10.0.2.4']))],
    ['replaced', (one: Scene) => one.put(slice(['10.0.2.4']))],
    ['scaled to zero', (one: Scene) => one.put(slice([]))],
    ['without its slice', (one: Scene) => one.gone(slice([]))],
    ['without the Service', (one: Scene) => one.gone(service)],
  ] as const) {
    const scaled = scene(['10.0.2.3'], policies);
    const times = { beganUs: scaled.nowUs, firstUs: scaled.nowUs, lastUs: scaled.nowUs };
    scaled.see('n1', record({ ...toService, ...times }));
    scaled.pass(30 * second);
    t.match([...scaled.findings.values()], [{ kind: 'blocked', responder: { workload: 'db' }, connections: 1 }]);
    now(scaled);
    // A late record of the retransmission: the connection is evaluated again.
    scaled.see(
      'n1',
      record({ ...toService, ...times, firstUs: times.firstUs + second, lastUs: times.lastUs + second }),
    );
    scaled.pass(30 * second);
    t.match(
      [...scaled.findings.values()],
      [{ kind: 'blocked', responder: { workload: 'db' }, connections: 1 }],
      change,
    );
    t.equal(scaled.findings.size, 1, change);
  }
});

t.test('endpoints that changed just before a connection may all have got it', async (t) => {
  const policies = `---${ingressPolicy('db', 'api')}---${ingressPolicy('db2', 'web')}`;
  const changing = scene(['10.0.2.3'], policies);
  changing.pass(60 * second);
  changing.put(slice(['10.0.2.4']));
  const see = (initiatorPort: number) => {
    const times = { beganUs: changing.nowUs, firstUs: changing.nowUs, lastUs: changing.nowUs };
    changing.see('n1', record({ ...toService, ...times, initiatorPort }));
  };
  changing.pass(second);
  see(1);
  changing.pass(60 * second);
  see(2);
  changing.pass(15 * second);
  const shown = [...changing.connections.values()].map(({ initiatorPort, responder, verdict }) => [
    initiatorPort,
    responder.pod ?? responder.service,
    verdict,
  ]);
  t.same(shown.sort(), [
    [1, 'sql', 'unknown'],
    [2, 'db2', 'allowed'],
  ]);
});
