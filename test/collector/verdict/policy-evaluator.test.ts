import t from 'tap';
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
