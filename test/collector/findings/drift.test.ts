import t from 'tap';
import { ingressPolicy, Scene, shop } from '../../scene/pipeline.ts';
import { answered, atDestination, second, t0 } from '../../scene/records.ts';

const closed = ingressPolicy('db', '');
const open = ingressPolicy('db', 'web');
const nothing = ingressPolicy('other', '');
const clusterPolicy = (name: string, action: string) => `
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: ${name} }
spec:
  { tier: Admin, priority: 1, subject: { namespaces: {} }, ingress: [{ action: ${action}, from: [{ namespaces: {} }] }] }
`;
const ambiguous = [clusterPolicy('one', 'Accept'), clusterPolicy('two', 'Deny')].join('\n---\n');

/** web connects to db, and both agents see it. */
function seen(cluster: string, declared?: string): Scene {
  const scene = new Scene(`${shop}\n---\n${cluster}`, declared);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] }]);
  scene.report('n2', [{ index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] }]);
  scene.see('n1', answered());
  scene.see('n2', atDestination(answered()));
  scene.pass(second);
  return scene;
}

const driftOf = (scene: Scene) => [...scene.findings.values()].filter(({ kind }) => kind === 'drift');
const connectionOf = (scene: Scene) => [...scene.connections.values()][0];

t.test('a delivered connection that the declared policies deny and the cluster allows is drift', async (t) => {
  const scene = seen(open, closed);
  t.match(connectionOf(scene), { verdict: 'allowed', declaredVerdict: 'denied' });
  const [drift, ...more] = driftOf(scene);
  t.same(more, []);
  t.match(drift, { severity: 'medium', connections: 1, initiator: { workload: 'web' }, port: 5432 });
  t.match(
    drift!.explanation,
    /^shop\/web -> shop\/db TCP 5432 is denied by the declared policies and allowed by those of the cluster\.\n/,
  );
  t.match(drift!.explanation, /\ndeclared ingress: isolated, and no rule matches/);
  t.match(drift!.evidence, { elsewhere: { verdict: 'denied' } });
});

t.test('drift has a lower severity if the cluster denies, and is added to the finding about the network', async (t) => {
  const scene = seen(closed, open);
  t.match(driftOf(scene), [{ severity: 'low' }]);
  t.same(scene.kinds(), ['bypass', 'drift']);
  t.match(driftOf(seen(nothing, open)), [{ severity: 'info' }], 'undeclared instead of allowed');
});

t.test('no drift if both verdicts are equal, if one is unknown, and without declared policies', async (t) => {
  const same = seen(open, open);
  t.same(driftOf(same), []);
  t.match(connectionOf(same), { declaredVerdict: 'allowed' });
  const unknown = seen(open, ambiguous);
  t.same(driftOf(unknown), []);
  t.match(connectionOf(unknown), { verdict: 'allowed', declaredVerdict: 'unknown' });
  t.notHas(connectionOf(seen(open)), { declaredVerdict: String });
});

t.test('a connection counts once for its drift, also after re-evaluation and restart', async (t) => {
  const scene = seen(open, closed);
  scene.see('n1', answered());
  scene.pass(second);
  t.equal(driftOf(scene)[0]!.connections, 1);
  const after = new Scene(`${shop}\n---\n${open}`, closed);
  after.restore([...scene.findings.values()], [...scene.connections.values()]);
  after.see('n1', answered({ firstUs: t0 + second, lastUs: t0 + second }));
  after.pass(3 * second);
  t.equal(driftOf(after)[0]!.connections, 1);
});
