// The node-local DNS cache: a link-local address that cluster.dnsServers names is a service of the pod's own node.
import t from 'tap';
import { TCP, UDP } from '../../../model/protocol.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { ingressPolicy, nodeLocalDns, podManifest, Scene, shop } from '../../scene/pipeline.ts';
import { answered, ip, record, second } from '../../scene/records.ts';

const isolatesEgress = `---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web, namespace: shop }
spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Egress], egress: [] }
`;
const denies = `---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: no-dns }
spec:
  tier: Admin
  priority: 1
  subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: web } } } }
  egress: [{ name: cache, action: Deny, to: [{ networks: [${nodeLocalDns}/32] }] }]
`;
const cache = `---${podManifest('node-local-dns', 'n1', '192.0.2.1', ', hostNetwork: true').replace('containerPort: 5432, name: sql', 'containerPort: 53, protocol: UDP')}`;

function seen(manifests: string, change: Partial<ConnectionRecord>, links = ['10.0.1.2']): Scene {
  const scene = new Scene(`${shop}${manifests}`);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: links }]);
  const query = { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 }, responderPort: 53 };
  scene.see('n1', answered({ ...query, responder: nodeLocalDns, answered: true, ...change }));
  scene.pass(15 * second);
  return scene;
}

t.test('a query of the node-local cache is traffic to the own node', async (t) => {
  for (const [name, manifests, verdict, kinds] of [
    ['no policy', '', 'allowed', []],
    ['a NetworkPolicy never denies the own node', isolatesEgress, 'allowed', []],
    ['a cluster policy may deny its address', denies, 'denied', ['bypass']],
  ] as const) {
    const scene = seen(manifests, {});
    t.match([...scene.connections.values()], [{ verdict, unknownReason: '', placement: 'host' }], name);
    t.match([...scene.connections.values()], [{ responder: { kind: 'node', node: 'n1', ip: nodeLocalDns } }], name);
    t.same(scene.kinds(), kinds, name);
  }
});

t.test('a denied query without an answer is blocked', async (t) => {
  const scene = new Scene(`${shop}${denies}`);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] }]);
  scene.see('n1', record({ responder: nodeLocalDns, responderPort: 53, protocol: TCP, synRetries: 1 }));
  scene.pass(15 * second);
  t.same(scene.kinds(), ['blocked']);
});

t.test('the host-network pod that declares the port is named', async (t) => {
  const scene = seen(cache, {});
  t.match([...scene.connections.values()], [{ responder: { kind: 'host', workload: 'node-local-dns', node: 'n1' } }]);
});

t.test('a forged source address is found here too', async (t) => {
  const scene = seen(`---${podManifest('batch', 'n1', '10.0.1.7')}`, { initiator: ip('10.0.1.7') });
  t.match([...scene.findings.values()], [{ kind: 'spoofed', initiator: { workload: 'web' } }]);
});

t.test('any other link-local address is of one link, and never evaluated', async (t) => {
  const scene = seen(`${denies}---${ingressPolicy('db', 'api')}`, { responder: ip('169.254.20.11') });
  t.match([...scene.connections.values()], [{ verdict: 'unknown', unknownReason: /./ }]);
  t.same(scene.kinds(), []);
});
