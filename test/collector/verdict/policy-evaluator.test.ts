import t from 'tap';
import { TCP } from '../../../model/protocol.ts';
import { ingressPolicy, podManifest, Scene, shop } from '../../scene/pipeline.ts';
import { ip, record, second } from '../../scene/records.ts';

const service = (endpoints: string) => `---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { clusterIP: 10.96.0.1, ports: [{ port: 5432 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: db-1, namespace: shop, labels: { kubernetes.io/service-name: db } }
addressType: IPv4
endpoints: [${endpoints}]
ports: [{ port: 5432 }]
`;
const [db, nobody] = ['{ addresses: [10.0.2.3] }', '{ addresses: [10.0.2.99] }'];

/** The verdict of a connection from web to the Service, if the endpoint is not known. */
function judged(manifests: string) {
  const scene = new Scene(manifests);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] }]);
  scene.see('n1', record({ responder: ip('10.96.0.1') }));
  scene.pass(3 * second);
  const [connection] = scene.connections.values();
  return [connection!.verdict, connection!.unknownReason];
}

t.test('rule 14: an endpoint without an owner makes the verdict unknown', async (t) => {
  t.same(judged(shop + service(db)), ['undeclared', '']);
  const [verdict, reason] = judged(shop + service(`${db}, ${nobody}`));
  t.equal(verdict, 'unknown');
  t.match(reason, /which endpoint of Service shop\/db got the connection/);
});

t.test('rule 14: if two pods claim an address, the EndpointSlice decides', async (t) => {
  const claimed = `${shop}---${podManifest('other', 'n2', '10.0.2.3')}---${ingressPolicy('other', '')}`;
  t.equal(judged(claimed + service(db))[0], 'unknown');
  const withTarget = (pod: string) => db.replace(' }', `, targetRef: { kind: Pod, name: ${pod} } }`);
  t.equal(judged(claimed + service(withTarget('db')))[0], 'undeclared');
  t.equal(judged(claimed + service(withTarget('other')))[0], 'denied');
});

t.test('Endpoints of v1 count as slices, also beside a slice with the same endpoint', async (t) => {
  const [onlyService, slice] = service(db).split('---\n').slice(1) as [string, string];
  const endpoints = (subsets: string) => `---
apiVersion: v1
kind: Endpoints
metadata: { name: db, namespace: shop }
subsets: [${subsets}]
`;
  const ofDb = '{ addresses: [{ ip: 10.0.2.3 }], ports: [{ port: 5432 }] }';
  const ofNobody = ofDb.replace('10.0.2.3', '10.0.2.99');
  const closed = `${shop}---${ingressPolicy('db', '')}---\n${onlyService}`;
  t.same(judged(closed + endpoints(ofDb)), ['denied', '']);
  t.same(judged(`${closed}---\n${slice}${endpoints(ofDb)}`), ['denied', ''], 'one endpoint');
  t.equal(judged(`${closed}---\n${slice}${endpoints(`${ofDb}, ${ofNobody}`)}`)[0], 'unknown', 'two endpoints');
  const scene = new Scene(closed + endpoints(`${ofDb}, ${ofNobody}`));
  const backends = () => {
    const [found] = scene.cluster.servicesAt(ip('10.96.0.1'), scene.nowUs);
    return scene.cluster.backendsOf(found!, TCP, 5432, scene.nowUs).map(({ address }) => address);
  };
  t.same(backends(), ['10.0.2.3', '10.0.2.99']);
  scene.pass(30 * second);
  scene.put(endpoints(ofDb));
  scene.pass(30 * second);
  t.same(backends(), ['10.0.2.3'], 'a subset less');
  scene.gone(endpoints(ofDb));
  scene.pass(30 * second);
  t.same(backends(), []);
});

t.test('a Service without endpoints has a reason of its own', async (t) => {
  t.match(judged(shop + service(''))[1], /Service shop\/db has no selector, and no EndpointSlice/);
  const selecting = service('').replace('ports:', 'selector: { app: db }, ports:');
  t.match(judged(shop + selecting)[1], /Service shop\/db has no ready endpoint for this port/);
});
