import t from 'tap';
import type { ClusterKind } from '../../../model/kubernetes.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { ingressPolicy, podManifest, Scene, shop } from '../../scene/pipeline.ts';
import { answered, atDestination, ip, second, t0 } from '../../scene/records.ts';

const webLink = { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] };
const dbLink = { index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] };

const denyAll = `
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: guard }
spec:
  tier: Admin
  priority: 1
  subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: db } } } }
  ingress: [{ name: none, action: Deny, from: [{ namespaces: {} }] }]
`;

/** Both agents report. Each connection has another port of the initiator. */
class StaleScene extends Scene {
  #port = 40_000;

  constructor(manifests: string) {
    super(manifests);
    this.report('n1', [webLink]);
    this.report('n2', [dbLink]);
  }

  stale(...kinds: ClusterKind[]): void {
    for (const kind of kinds) this.cluster.receive({ type: 'stale', kind, sinceUs: this.nowUs, atUs: this.nowUs });
  }

  fresh(...kinds: ClusterKind[]): void {
    for (const kind of kinds) this.cluster.receive({ type: 'fresh', kind, atUs: this.nowUs });
  }

  /** The list shows a change that happened after `sinceUs`. */
  missed(type: 'put' | 'gone', manifests: string, sinceUs: number): void {
    for (const object of this.objects(manifests)) this.cluster.receive({ type, object, atUs: this.nowUs, sinceUs });
  }

  /** An answered connection that begins now, ends soon and is seen by both agents. Returns a reader of its verdict. */
  connect(change: Partial<ConnectionRecord> = {}): () => string {
    this.#port += 1;
    const port = this.#port;
    const times = { beganUs: this.nowUs, firstUs: this.nowUs, lastUs: this.nowUs + 1000 };
    const seen = answered({ ...times, initiatorPort: port, ended: true, ...change });
    this.see('n1', seen);
    if (seen.responder === '10.0.2.3') this.see('n2', atDestination(seen));
    this.pass(2 * second);
    return () => {
      const { verdict, unknownReason } = [...this.connections.values()].find((one) => one.initiatorPort === port)!;
      return unknownReason === '' ? verdict : `${verdict}: ${unknownReason}`;
    };
  }
}

const denied = `${shop}---${ingressPolicy('db', 'api')}`;

const ciliumPolicy = (app: string, rules: string) => `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: ${app}, namespace: shop }
spec: { endpointSelector: { matchLabels: { app: ${app} } }, ${rules}: [{ fromEntities: [cluster] }] }
`;

t.test(
  'a connection that began after the pods became stale is unknown, with the time; an earlier one keeps its verdict',
  async (t) => {
    const scene = new StaleScene(denied);
    const before = scene.connect();
    scene.stale('Pod');
    scene.pass(second);
    const after = scene.connect();
    t.equal(after(), 'unknown: cluster state is stale (pods since 00:00:02)');
    t.equal(before(), 'denied');
    t.same(scene.kinds(), ['bypass']);
    t.equal([...scene.findings.values()][0]!.connections, 1);
    t.equal(scene.pipeline.counts.doubtful, 1);
  },
);

t.test('each stale kind makes exactly the verdicts unknown that depend on it', async (t) => {
  const internet = { responder: ip('203.0.113.9'), responderPort: 443 };
  const stale = (kind: string) => `unknown: cluster state is stale (${kind} since 00:00:02)`;
  for (const [kind, toPod, toInternet] of [
    ['Pod', stale('pods'), stale('pods')],
    ['Namespace', stale('namespaces'), stale('namespaces')],
    ['Node', 'denied', stale('nodes')],
    ['Service', 'denied', stale('services')],
    ['EndpointSlice', 'denied', 'undeclared'],
    ['NetworkPolicy', stale('networkpolicies'), stale('networkpolicies')],
    ['AdminNetworkPolicy', stale('adminnetworkpolicies'), stale('adminnetworkpolicies')],
    ['BaselineAdminNetworkPolicy', 'denied', stale('baselineadminnetworkpolicies')],
    [
      'CiliumNetworkPolicy.cilium.io',
      stale('ciliumnetworkpolicies.cilium.io'),
      stale('ciliumnetworkpolicies.cilium.io'),
    ],
    ['NetworkPolicy.crd.antrea.io', stale('networkpolicies.crd.antrea.io'), stale('networkpolicies.crd.antrea.io')],
    ['EgressFirewall.k8s.ovn.org', 'denied', stale('egressfirewalls.k8s.ovn.org')],
    ['AuthorizationPolicy.security.istio.io', 'denied', 'undeclared'],
  ] as const) {
    const scene = new StaleScene(denied);
    scene.pass(2 * second);
    scene.stale(kind);
    scene.pass(second);
    t.equal(scene.connect()(), toPod, `${kind}, to a pod that a NetworkPolicy isolates`);
    t.equal(scene.connect(internet)(), toInternet, `${kind}, to the internet`);
  }
});

t.test('what an earlier tier denies does not depend on NetworkPolicies', async (t) => {
  const scene = new StaleScene(`${denied}---${denyAll}`);
  scene.stale('NetworkPolicy', 'BaselineAdminNetworkPolicy');
  scene.pass(second);
  t.equal(scene.connect()(), 'denied', 'the egress side is unknown, and the denied side outweighs it');
  scene.stale('ClusterNetworkPolicy');
  scene.pass(second);
  t.match(scene.connect()(), /^unknown: cluster state is stale \(.*clusternetworkpolicies since/);
});

t.test('a connection of the gap is evaluated when the list shows no change, also long after it ended', async (t) => {
  const scene = new StaleScene(denied);
  scene.stale('Pod', 'NetworkPolicy');
  scene.pass(second);
  const verdict = scene.connect();
  scene.pass(600 * second);
  t.equal(scene.pipeline.counts.live, 0, 'the join has forgotten it');
  t.match(verdict(), /^unknown/);
  scene.fresh('NetworkPolicy');
  scene.pass(11 * second);
  t.equal(verdict(), 'unknown: cluster state is stale (pods since 00:00:00)');
  scene.fresh('Pod');
  scene.pass(second);
  t.equal(verdict(), 'denied');
  t.same(scene.kinds(), ['bypass']);
  t.equal([...scene.findings.values()][0]!.connections, 1);
  t.equal(scene.pipeline.counts.doubtful, 0);
});

const relabelled = podManifest('db', 'n2', '10.0.2.3').replace('{ app: db }', '{ app: other }');
const changed = (kind: string) => `unknown: cluster state was stale (${kind} changed between 00:00:00 and 00:01:00)`;

t.test('only what depends on a changed, created or deleted object stays unknown', async (t) => {
  const otherPolicy = ingressPolicy('cache', '');
  for (const [what, type, manifests, kind] of [
    ['a changed pod', 'put', relabelled, 'pods'],
    ['a pod that looks the same', 'put', podManifest('db', 'n2', '10.0.2.3'), 'pods'],
    ['a deleted pod', 'gone', podManifest('db', 'n2', '10.0.2.3'), 'pods'],
    ['a created pod with the same address', 'put', podManifest('db2', 'n2', '10.0.2.3'), 'pods'],
    ['another pod', 'put', podManifest('cache', 'n2', '10.0.2.9'), undefined],
    ['a changed policy', 'put', ingressPolicy('db', 'web'), 'networkpolicies'],
    ['a deleted policy', 'gone', ingressPolicy('db', 'api'), 'networkpolicies'],
    ['a policy of other pods', 'put', otherPolicy, undefined],
    ['a created cluster policy', 'put', denyAll, 'clusternetworkpolicies'],
    ['a created Cilium policy', 'put', ciliumPolicy('db', 'ingress'), 'ciliumnetworkpolicies.cilium.io'],
    ['a deleted Cilium policy', 'gone', ciliumPolicy('db', 'ingress'), 'ciliumnetworkpolicies.cilium.io'],
    ['a Cilium policy that only denies', 'put', ciliumPolicy('db', 'ingressDeny'), undefined],
    ['a Cilium policy of other pods', 'put', ciliumPolicy('cache', 'ingress'), undefined],
    ['a Cilium policy of the other direction', 'put', ciliumPolicy('db', 'egress'), undefined],
    ['a created namespace', 'put', 'apiVersion: v1\nkind: Namespace\nmetadata: { name: other }', undefined],
    [
      'the namespace',
      'put',
      'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { a: b } }',
      'namespaces',
    ],
  ] as const) {
    const scene = new StaleScene(denied);
    const kinds = ['Pod', 'Namespace', 'NetworkPolicy', 'ClusterNetworkPolicy'] as const;
    scene.stale(...kinds);
    scene.pass(10 * second);
    const verdict = scene.connect();
    scene.pass(t0 + 60 * second - scene.nowUs);
    scene.missed(type, manifests, t0);
    scene.fresh(...kinds);
    scene.pass(second);
    t.equal(verdict(), kind === undefined ? 'denied' : changed(kind), what);
    t.equal(scene.kinds().includes('bypass'), kind === undefined, what);
  }
});

t.test('after the gap, the new version counts', async (t) => {
  const scene = new StaleScene(denied);
  scene.stale('Pod');
  scene.pass(60 * second);
  scene.missed('put', relabelled, t0);
  scene.fresh('Pod');
  scene.pass(11 * second);
  t.equal(scene.connect()(), 'undeclared');
});

t.test('a missed change withdraws a violation that was reported before the change became known', async (t) => {
  const scene = new StaleScene(denied);
  scene.pass(10 * second);
  const verdict = scene.connect();
  scene.pass(50 * second);
  t.same(scene.kinds(), ['bypass']);
  scene.missed('put', ingressPolicy('db', 'web'), t0);
  scene.pass(second);
  t.match(verdict(), /^unknown: cluster state was stale \(networkpolicies changed between/);
  t.same(scene.kinds(), ['unevaluated']);
});

t.test('a bypass that began before the view became stale is still a finding', async (t) => {
  const scene = new StaleScene(denied);
  const verdict = scene.connect({ ended: false });
  scene.stale('Pod', 'NetworkPolicy');
  scene.pass(100 * second);
  scene.see('n1', answered({ initiatorPort: 40_001, firstUs: scene.nowUs, lastUs: scene.nowUs }));
  scene.pass(second);
  t.equal(verdict(), 'denied');
  t.same(scene.kinds(), ['bypass']);
});

t.test(
  'a foreign source address is no finding while its owner may be an unknown Service, and is one afterwards',
  async (t) => {
    const scene = new StaleScene(`${denied}---${podManifest('cache', 'n2', '10.0.2.4')}`);
    scene.stale('Service');
    scene.pass(20 * second);
    const times = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
    scene.see('n1', answered({ ...times, initiator: ip('10.0.2.4'), podUid: 'uid-web' }));
    scene.pass(30 * second);
    t.notOk(scene.kinds().includes('spoofed'));
    scene.fresh('Service');
    scene.pass(second);
    t.ok(scene.kinds().includes('spoofed'));
  },
);

t.test('two times without a view are one finding, which shows the later one', async (t) => {
  const scene = new StaleScene(denied);
  for (const [manifests, untilUs] of [
    [ingressPolicy('db', 'web'), 60],
    [ingressPolicy('db', 'api'), 120],
  ] as const) {
    scene.pass(10 * second);
    const sinceUs = scene.nowUs;
    scene.stale('NetworkPolicy');
    scene.pass(10 * second);
    scene.connect();
    scene.pass(t0 + untilUs * second - scene.nowUs);
    scene.missed('put', manifests, sinceUs);
    scene.fresh('NetworkPolicy');
    scene.pass(second);
  }
  const found = [...scene.findings.values()].filter(({ kind }) => kind === 'unevaluated');
  t.match(found, [{ connections: 2, evidence: { reason: /changed between .* and 00:02:00\)$/ } }]);
  t.equal(found.length, 1);
});
