import t from 'tap';
import { type PoliciesFlags, policiesCommand, runPolicies } from '../../cli/policies.ts';
import { folder } from '../cluster/manifests/folders.ts';
import { Kept } from '../scene/kept.ts';

async function run(flags: Partial<PoliciesFlags> & { cluster: string }) {
  const [stdout, stderr] = [new Kept(), new Kept()];
  const code = await runPolicies({ pod: 'shop/web', output: 'table', ...flags }, { stdout, stderr });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

function pod(name: string, labels: string, rest = ''): string {
  return `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, namespace: shop, labels: { ${labels} } }, spec: { ${rest} containers: [{ name: c }] } }`;
}

function networkPolicy(name: string, spec: string): string {
  return `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: ${name}, namespace: shop }, spec: { ${spec} } }`;
}

function clusterPolicy(name: string, spec: string): string {
  return `{ apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: { name: ${name} }, spec: { ${spec} } }`;
}

const namespace = '{ apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { team: shop } } }';
const manifests = [
  namespace,
  pod('web', 'app: web'),
  pod('proxy', 'app: proxy', 'hostNetwork: true,'),
  networkPolicy(
    'web',
    'podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: cart } } }], ports: [{ port: 8080 }] }]',
  ),
  networkPolicy('all', 'podSelector: {}, policyTypes: [Ingress]'),
  networkPolicy('other', 'podSelector: { matchLabels: { app: db } }'),
  clusterPolicy(
    'late',
    'tier: Admin, priority: 20, subject: { namespaces: {} }, ingress: [{ action: Deny, from: [{ namespaces: { matchLabels: { team: dev } } }] }]',
  ),
  clusterPolicy(
    'early',
    'tier: Admin, priority: 3, subject: { namespaces: { matchLabels: { team: shop } } }, ingress: [{ action: Pass, from: [{ namespaces: {} }], protocols: [{ tcp: { destinationPort: { range: { start: 1, end: 99 } } } }] }], egress: [{ action: Deny, to: [{ networks: [10.0.0.0/8] }] }]',
  ),
  clusterPolicy(
    'base',
    'tier: Baseline, priority: 1, subject: { namespaces: {} }, ingress: [{ action: Accept, from: [{ namespaces: {} }] }], egress: [{ action: Deny, to: [{ networks: [0.0.0.0/0] }] }]',
  ),
].join('\n---\n');

t.test(
  'the policies of a pod are in the order of their evaluation, with their rules and what they leave open',
  async (t) => {
    const { path } = folder(t, { 'all.yaml': manifests });
    const ran = await run({ cluster: path });
    t.equal(ran.code, 0);
    t.equal(
      ran.stdout,
      `shop/web
  ingress: isolated
    1  Admin          ClusterNetworkPolicy early (priority 3)
       [0] Pass: TCP 1-99 from pods in any namespace
    2  Admin          ClusterNetworkPolicy late (priority 20)
       [0] Deny: every port from pods in namespaces with team=dev
    3  NetworkPolicy  NetworkPolicy shop/all
       no rules: it allows nothing
    3  NetworkPolicy  NetworkPolicy shop/web
       [0] Accept: TCP 8080 from pods with app=cart in namespace shop
    4  Baseline       ClusterNetworkPolicy base (priority 1), never reached: NetworkPolicies isolate the pod
       [0] Accept: every port from pods in any namespace
    open: only what an Accept rule matches
  egress: not isolated
    1  Admin          ClusterNetworkPolicy early (priority 3)
       [0] Deny: every port to 10.0.0.0/8
    2  Baseline       ClusterNetworkPolicy base (priority 1)
       [0] Deny: every port to 0.0.0.0/0
    open: everything that no Deny rule matches first
`,
    );
  },
);

t.test('JSON has the same order, and one line for each group of pods', async (t) => {
  const { path } = folder(t, { 'all.yaml': manifests });
  const [one] = JSON.parse((await run({ cluster: path, output: 'json' })).stdout);
  t.match(one, { pod: 'shop/web', ingress: { isolated: 'yes' }, egress: { isolated: 'no' } });
  t.same(
    one.ingress.policies.map(({ order, policy, status }: Record<string, unknown>) => [order, policy, status]),
    [
      [1, 'ClusterNetworkPolicy early', 'evaluated'],
      [2, 'ClusterNetworkPolicy late', 'evaluated'],
      [3, 'NetworkPolicy shop/all', 'evaluated'],
      [3, 'NetworkPolicy shop/web', 'evaluated'],
      [4, 'ClusterNetworkPolicy base', 'not-reached'],
    ],
  );
  t.same(one.ingress.policies[3].rules, [
    { rule: 0, action: 'Accept', peers: 'pods with app=cart in namespace shop', ports: 'TCP 8080' },
  ]);
  const lines = (await run({ cluster: path, output: 'jsonl' })).stdout.trimEnd().split('\n');
  t.same(
    lines.map((line) => JSON.parse(line)),
    [one],
  );
  t.match((await run({ cluster: path, output: 'yaml' })).stdout, /^- pod: shop\/web$/m);
});

t.test('policies of the same priority have the same order', async (t) => {
  const same = (name: string) =>
    clusterPolicy(
      name,
      'tier: Admin, priority: 5, subject: { namespaces: {} }, egress: [{ action: Deny, to: [{ namespaces: {} }] }]',
    );
  const { path } = folder(t, { 'all.yaml': [namespace, pod('web', ''), same('a'), same('b')].join('\n---\n') });
  const [one] = JSON.parse((await run({ cluster: path, output: 'json' })).stdout);
  t.same(
    one.egress.policies.map(({ order }: { order: number }) => order),
    [1, 1],
  );
});

t.test('a deny-all policy leaves nothing open, and no policy leaves everything open', async (t) => {
  const { path } = folder(t, {
    'all.yaml': [namespace, pod('web', ''), networkPolicy('p', 'podSelector: {}, policyTypes: [Egress]')].join(
      '\n---\n',
    ),
  });
  const [one] = JSON.parse((await run({ cluster: path, output: 'json' })).stdout);
  t.equal(one.egress.open, 'nothing');
  t.equal(one.ingress.open, 'everything: no policy selects it');
});

t.test('a policy of another API and an invalid policy are listed, and make it uncertain what is open', async (t) => {
  const cilium =
    '{ apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: { name: c, namespace: shop }, spec: { endpointSelector: { matchLabels: { app: web } }, ingress: [{}] } }';
  const broken = networkPolicy(
    'broken',
    'podSelector: {}, policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 10.0.0.0/99 } }] }]',
  );
  const { path } = folder(t, { 'all.yaml': [namespace, pod('web', 'app: web'), cilium, broken].join('\n---\n') });
  const { stdout, stderr, code } = await run({ cluster: path });
  t.match(stdout, /^ {4}- {2}Cilium {9}CiliumNetworkPolicy shop\/c, recognised, not evaluated$/m);
  t.match(stdout, /^ {4}1 {2}NetworkPolicy {2}NetworkPolicy shop\/broken, may select it, invalid, so not evaluated$/m);
  t.match(stdout, /open: everything; policies that are not evaluated, or that may not select it, could change this/);
  t.match(stdout, /egress: not known whether it is isolated\n.*\n {4}open: not known/);
  t.match(stderr, /bad-cidr/);
  t.equal(code, 0, 'an invalid policy was read');
});

t.test('a policy that acts after the network is listed, and does not change what is open', async (t) => {
  const istio =
    '{ apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: { name: a, namespace: shop }, spec: {} }';
  const { path } = folder(t, { 'all.yaml': [namespace, pod('web', 'app: web'), istio].join('\n---\n') });
  t.match(
    (await run({ cluster: path })).stdout,
    /- {2}Istio {10}AuthorizationPolicy shop\/a, acts on what the network delivered\n {4}open: everything; a policy that acts on what the network delivered may refuse some of it\n/,
  );
});

t.test('a policy that acts after the network selects as certainly as its selector matches', async (t) => {
  const istio = (name: string, spec: string) =>
    `{ apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: { name: ${name}, namespace: shop }, spec: { ${spec} } }`;
  const { path } = folder(t, {
    'all.yaml': [
      namespace,
      pod('web', 'app: web'),
      istio('a', 'selector: { matchLabels: { app: web } }'),
      istio('b', 'targetRefs: [{ kind: Service, group: "", name: web }]'),
      istio('c', 'selector: { matchLabels: { app: db } }'),
    ].join('\n---\n'),
  });
  const [one] = JSON.parse((await run({ cluster: path, output: 'json' })).stdout);
  t.same(
    one.ingress.policies.map(({ policy, selects }: Record<string, unknown>) => [policy, selects]),
    [
      ['AuthorizationPolicy shop/a', 'yes'],
      ['AuthorizationPolicy shop/b', 'maybe'],
    ],
  );
});

t.test('a policy with several parts selects the pod if one of them certainly does', async (t) => {
  const part = (selector: string) => `{ endpointSelector: { matchExpressions: [${selector}] }, ingress: [{}] }`;
  const cilium = (...parts: string[]) =>
    `{ apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: { name: c, namespace: shop }, specs: [${parts.join(', ')}] }`;
  const [certain, doubtful] = ['{ key: app, operator: Exists }', '{ key: app, operator: Unheard }'].map(part);
  for (const specs of [
    [certain!, doubtful!],
    [doubtful!, certain!],
  ]) {
    const { path } = folder(t, { 'all.yaml': [namespace, pod('web', 'app: web'), cilium(...specs)].join('\n---\n') });
    const [one] = JSON.parse((await run({ cluster: path, output: 'json' })).stdout);
    t.match(one.ingress.policies, [{ policy: 'CiliumNetworkPolicy shop/c', selects: 'yes' }]);
  }
});

t.test('whether a pod is isolated is not known where a document of its namespace cannot be read', async (t) => {
  const unread = (name: string) => `kind: NetworkPolicy\nmetadata: {name: p, namespace: ${name}}\nspec: [\n`;
  const isolation = async (...documents: string[]) => {
    const text = [namespace, pod('web', 'app: web'), ...documents].join('\n---\n');
    const [one] = JSON.parse((await run({ cluster: folder(t, { 'a.yaml': text }).path, output: 'json' })).stdout);
    return [one.ingress.isolated, one.egress.isolated, one.ingress.open.split(';')[0]];
  };
  t.same(await isolation(unread('shop')), ['unknown', 'unknown', 'not known']);
  t.same(await isolation('kind: NetworkPolicy\nspec: [\n'), ['unknown', 'unknown', 'not known']);
  t.same(await isolation(unread('bank')), ['no', 'no', 'everything: no policy selects it']);
  const isolating = networkPolicy('all', 'podSelector: {}, policyTypes: [Ingress]');
  t.same(
    await isolation(isolating, unread('shop')),
    ['unknown', 'unknown', 'not known'],
    'the document may replace the policy that isolates it',
  );
});

t.test('a workload is listed by the pods that policies distinguish', async (t) => {
  const stateful =
    '{ apiVersion: apps/v1, kind: StatefulSet, metadata: { name: db, namespace: shop }, spec: { replicas: 2, template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: c }] } } } }';
  const first = networkPolicy('first', 'podSelector: { matchLabels: { statefulset.kubernetes.io/pod-name: db-0 } }');
  const { path } = folder(t, { 'all.yaml': [namespace, stateful, first].join('\n---\n') });
  const answers = JSON.parse((await run({ cluster: path, pod: 'shop/StatefulSet/db', output: 'json' })).stdout);
  t.match(answers, [
    { pods: [/db-0$/], ingress: { isolated: 'yes', open: 'nothing' } },
    { pods: [/db-1$/], ingress: { isolated: 'no' } },
  ]);
});

t.test('a pod on the host network is said to have no policies, and an unknown pod is a problem', async (t) => {
  const { path } = folder(t, { 'all.yaml': manifests });
  t.equal(
    (await run({ cluster: path, pod: 'shop/proxy' })).stdout,
    'shop/proxy: on the host network, and policies do not select such pods\n',
  );
  await t.rejects(run({ cluster: path, pod: 'shop/nobody' }), { message: /^unknown-party: --pod: / });
  await t.rejects(run({ cluster: path, pod: '203.0.113.9' }), {
    message: /^not-a-pod: --pod: "203\.0\.113\.9" is not a pod/,
  });
  await t.rejects(run({ cluster: `${path}/none` }), { message: /^cannot-read: / });
});

t.test('an unreadable manifest makes the exit code 2, and the rest is listed', async (t) => {
  const { path } = folder(t, { 'all.yaml': manifests, 'b.yaml': 'kind: NetworkPolicy\nspec: [\n' });
  const ran = await run({ cluster: path });
  t.equal(ran.code, 2);
  t.match(ran.stdout, /document b\.yaml:1.*may select it, invalid/);
});

t.test('the command reads its flags, and sets the exit code', async (t) => {
  const { path } = folder(t, { 'all.yaml': manifests });
  const [stdout, stderr] = [new Kept(), new Kept()];
  const flags = ['--cluster', path, '--pod', 'shop/Pod/web', '-o', 'jsonl'];
  await policiesCommand({ stdout, stderr }).parseAsync(flags, { from: 'user' });
  t.equal(process.exitCode, 0);
  t.equal(JSON.parse(stdout.text).pod, 'shop/Pod/web');
});
