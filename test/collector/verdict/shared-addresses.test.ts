// An address that several Services have: on different ports, or because one of them claims the address of another one.
import t from 'tap';
import type { ConnectionRecord } from '../../../model/record.ts';
import { ingressPolicy, podManifest, Scene, shop } from '../../scene/pipeline.ts';
import { answered, atDestination, db, ip, second } from '../../scene/records.ts';

const api = ip('10.0.1.9');
const balancer = '203.0.113.50';
const pods = `${shop}---${podManifest('api', 'n1', api)}---${ingressPolicy('db', '')}`;

type Ports = { port: number; clusterIp: string; external?: string; endpoint?: string };

function service(name: string, { port, clusterIp, external, endpoint = db }: Ports): string {
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec:
  clusterIP: ${clusterIp}
  externalIPs: [${external ?? ''}]
  ports: [{ name: p, port: ${port}, protocol: TCP }]
  selector: { app: other }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, namespace: shop, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
endpoints: [{ addresses: [${endpoint}], conditions: { ready: true } }]
ports: [{ name: p, port: 5432, protocol: TCP }]
`;
}

const sqlAddress = '10.96.0.20';
const sql = service('sql', { port: 5432, clusterIp: sqlAddress });

function watched(manifests: string): Scene {
  const scene = new Scene(manifests);
  scene.report('n1', [
    { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] },
    { index: 8, podUid: 'uid-api', addresses: [api] },
  ]);
  scene.report('n2', [{ index: 9, podUid: 'uid-db', addresses: [db] }]);
  scene.pass(20 * second);
  return scene;
}

/** web connects now. */
function connect(scene: Scene, to: string, port = 5432): ConnectionRecord {
  const at = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
  const seen = answered({ ...at, responder: ip(to), responderPort: port });
  scene.see('n1', seen);
  return seen;
}

function shown(scene: Scene): string[] {
  scene.pass(15 * second);
  const connections = [...scene.connections.values()].map(
    ({ responder, verdict }) => `${responder.pod ?? responder.service ?? responder.kind} ${verdict}`,
  );
  return [...connections, ...[...scene.findings.values()].map(({ kind, severity }) => `${kind} ${severity}`)];
}

const bypass = ['db denied', 'bypass critical'];

t.test(
  'an external address of one Service never takes the connections to the cluster address of another',
  async (t) => {
    const claim = service('claim', { port: 5432, clusterIp: '10.96.0.99', external: sqlAddress, endpoint: api });
    const later = watched(`${pods}---${sql}`);
    later.put(claim);
    later.pass(20 * second);
    connect(later, sqlAddress);
    t.same(shown(later), bypass, 'claimed later');

    const earlier = watched(`${pods}---${claim}`);
    earlier.put(sql);
    earlier.pass(20 * second);
    connect(earlier, sqlAddress);
    t.same(shown(earlier), bypass, 'claimed before the Service existed');
    earlier.gone(claim);
    earlier.pass(20 * second);
    t.same(shown(earlier), bypass, 'the claim is gone');

    const unreported = watched(`${pods}---${claim}`);
    connect(unreported, sqlAddress);
    unreported.nowUs += second;
    unreported.put(sql);
    t.same(shown(unreported), bypass, 'the API server reports the Service after its first connection');
  },
);

t.test('however many Services claim a cluster address, its own Service keeps it', async (t) => {
  const scene = watched(pods);
  const claims = Array.from({ length: 300 }, (_, i) =>
    service(`claim-${i}`, {
      port: 5432,
      clusterIp: `10.97.${i >> 8}.${i & 255}`,
      external: sqlAddress,
      endpoint: api,
    }),
  );
  scene.put(claims.slice(0, 280).join('---'));
  scene.put(sql);
  scene.put(claims.slice(280).join('---'));
  scene.pass(20 * second);
  connect(scene, sqlAddress);
  t.same(shown(scene), bypass);
});

t.test('an external address of a Service never takes the connections to a pod', async (t) => {
  const claim = service('claim', { port: 5432, clusterIp: '10.96.0.99', external: db, endpoint: api });
  for (const sides of ['both sides', 'the source only']) {
    const scene = watched(`${pods}---${claim}`);
    const seen = connect(scene, db);
    if (sides === 'both sides') scene.see('n2', atDestination(seen));
    t.match(shown(scene), ['db denied'], sides);
  }
});

t.test('the port says which of the Services of a load balancer address gets a connection', async (t) => {
  const sqlAt = (port: number) => service('sql', { port, clusterIp: sqlAddress, external: balancer });
  const dash = service('dash', { port: 443, clusterIp: '10.96.0.21', external: balancer, endpoint: api });
  for (const services of [`${sqlAt(5432)}---${dash}`, `${dash}---${sqlAt(5432)}`]) {
    const scene = watched(`${pods}---${services}`);
    connect(scene, balancer);
    t.same(shown(scene), bypass);
  }
  const other = watched(`${pods}---${sqlAt(5432)}---${dash}`);
  connect(other, balancer, 443);
  t.match(shown(other), ['api undeclared']);
});

t.test('a Service that is deleted, or moved to another address, releases only its own claim', async (t) => {
  const sqlBalanced = service('sql', { port: 5432, clusterIp: sqlAddress, external: balancer });
  const dash = service('dash', { port: 443, clusterIp: '10.96.0.21', external: balancer });
  for (const [name, change] of [
    ['deleted', (scene: Scene) => scene.gone(dash)],
    ['moved', (scene: Scene) => scene.put(dash.replace(balancer, '203.0.113.51'))],
  ] as const) {
    const scene = watched(`${pods}---${sqlBalanced}---${dash}`);
    change(scene);
    scene.pass(20 * second);
    connect(scene, balancer);
    t.same(shown(scene), bypass, name);
  }
  const both = watched(`${pods}---${sqlBalanced}---${dash}`);
  connect(both, balancer);
  both.pass(second);
  both.gone(dash);
  both.gone(sqlBalanced);
  both.pass(20 * second);
  t.same(shown(both), bypass, 'a connection of before');
  connect(both, balancer, 5433);
  t.ok(shown(both).includes('external undeclared'), 'nobody has the address now');
});
