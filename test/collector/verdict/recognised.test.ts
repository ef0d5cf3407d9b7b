// Policies of other APIs in the collector: they change with the cluster, and make verdicts unknown while they could matter.
import t from 'tap';
import { ingressPolicy, Scene, shop } from '../../scene/pipeline.ts';
import { answered, atDestination, second } from '../../scene/records.ts';

const webLink = { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] };
const dbLink = { index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] };

const allowsWeb = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: db, namespace: shop }
spec: { endpointSelector: { matchLabels: { app: db } }, ingress: [{ fromEndpoints: [{ matchLabels: { app: web } }] }] }
`;

/** Both agents report. Each connection from web to db has another port, and is answered. */
class MeshScene extends Scene {
  #port = 40_000;

  constructor(manifests: string) {
    super(manifests);
    this.report('n1', [webLink]);
    this.report('n2', [dbLink]);
  }

  change(type: 'put' | 'gone', manifests: string): void {
    for (const object of this.objects(manifests)) this.cluster.receive({ type, object, atUs: this.nowUs });
  }

  connect(): string {
    this.#port += 1;
    const times = { beganUs: this.nowUs, firstUs: this.nowUs, lastUs: this.nowUs + 1000 };
    const seen = answered({ ...times, initiatorPort: this.#port, ended: true });
    this.see('n1', seen);
    this.see('n2', atDestination(seen));
    this.pass(20 * second);
    const { verdict, unknownReason } = [...this.connections.values()].find((one) => one.initiatorPort === this.#port)!;
    return unknownReason === '' ? verdict : `${verdict}: ${unknownReason}`;
  }
}

t.test('a Cilium policy that allows what a NetworkPolicy denies is no bypass, and the verdict names it', async (t) => {
  const scene = new MeshScene(`${shop}---${ingressPolicy('db', 'api')}---${allowsWeb}`);
  t.equal(scene.connect(), 'unknown: CiliumNetworkPolicy shop/db is not evaluated');
  t.same(scene.kinds(), ['unevaluated']);
  const [finding] = scene.findings.values();
  t.match(finding, {
    severity: 'low',
    connections: 1,
    evidence: { reason: 'CiliumNetworkPolicy shop/db is not evaluated' },
  });
  t.match(finding!.explanation, /crosses from n1 to n2, and it is not known whether the policies allow it\./);
  t.match(
    finding!.explanation,
    /\nto do: check CiliumNetworkPolicy shop\/db by hand, or declare the same in a NetworkPolicy/,
  );
  t.match(scene.pipeline.counts.namespaces, { shop: { connections: 1, unknown: 1 } });
});

t.test('it counts from its creation to its deletion', async (t) => {
  const scene = new MeshScene(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.pass(20 * second);
  t.equal(scene.connect(), 'denied');
  scene.change('put', allowsWeb);
  scene.pass(20 * second);
  t.match(scene.connect(), /^unknown/);
  scene.change('gone', allowsWeb);
  scene.pass(20 * second);
  t.equal(scene.connect(), 'denied');
});

const istioPolicy = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: db, namespace: shop }
spec: { selector: { matchLabels: { app: db } }, action: DENY, rules: [{}] }
`;

t.test('a finding names the AuthorizationPolicy of the responder, and its verdict stays', async (t) => {
  const scene = new MeshScene(`${shop}---${ingressPolicy('db', 'api')}---${istioPolicy}`);
  t.equal(scene.connect(), 'denied');
  t.same(scene.kinds(), ['bypass']);
  const [finding] = scene.findings.values();
  const note = 'note: AuthorizationPolicy shop/db may refuse it after the network delivered it';
  t.ok(finding!.explanation.split('\n').includes(note), finding!.explanation);
});
