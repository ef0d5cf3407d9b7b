// Which pods a policy of another API selects, in the selector language of each: yes, no, or maybe.
import t from 'tap';
import type { LabelTest, WatchedKind } from '../../model/recognised-policy.ts';
import { type Certainty, subjectSelects } from '../../policy/subject.ts';
import { type PodParty, pod } from '../scene/cluster.ts';
import { recognised } from '../scene/recognised.ts';

const web = pod(
  'shop/web',
  { app: 'web', tier: 'front', 'app.kubernetes.io/name': 'web' },
  { namespaceLabels: { team: 'a' } },
);
const noManifest: PodParty = { ...pod('other/web', { app: 'web' }), namespaceLabelsKnown: false };

function selected(kind: WatchedKind, place: string, spec: object, one: PodParty): Certainty {
  const { parts } = recognised(kind, place, spec);
  return subjectSelects({ is: 'any', of: parts.map(({ subject }) => subject) }, one);
}

const cilium = (endpointSelector: unknown, one = web, place = 'shop/p') =>
  selected('CiliumNetworkPolicy.cilium.io', place, { endpointSelector, ingress: [{}] }, one);
const clusterwide = (endpointSelector: unknown, one = web) =>
  selected('CiliumClusterwideNetworkPolicy.cilium.io', 'p', { endpointSelector, ingress: [{}] }, one);
const labels = (matchLabels: object) => ({ matchLabels });
const expressions = (...matchExpressions: object[]) => ({ matchExpressions });

t.test('Cilium: an endpointSelector selects by labels, in the namespace of the policy', async (t) => {
  t.equal(cilium({}), 'yes');
  t.equal(cilium({}, web, 'blog/p'), 'no');
  t.equal(cilium(labels({ app: 'web' })), 'yes');
  t.equal(cilium(labels({ app: 'db' })), 'no');
  t.equal(cilium(labels({ 'k8s:app': 'web', 'any:tier': 'front' })), 'yes');
  t.equal(cilium(labels({ 'app.kubernetes.io/name': 'web' })), 'yes');
  t.equal(cilium(expressions({ key: 'app', operator: 'In', values: ['db', 'web'] })), 'yes');
  t.equal(cilium(expressions({ key: 'k8s:app', operator: 'NotIn', values: ['web'] })), 'no');
  t.equal(cilium(expressions({ key: 'zone', operator: 'DoesNotExist' }, { key: 'app', operator: 'Exists' })), 'yes');
});

t.test('Cilium: a clusterwide policy selects by labels of pod and namespace', async (t) => {
  t.equal(clusterwide({}), 'yes');
  t.equal(clusterwide(labels({ 'io.kubernetes.pod.namespace': 'shop' })), 'yes');
  t.equal(clusterwide(labels({ 'k8s:io.kubernetes.pod.namespace': 'blog' })), 'no');
  t.equal(clusterwide(labels({ 'k8s:io.cilium.k8s.namespace.labels.team': 'a' })), 'yes');
  t.equal(clusterwide(labels({ 'io.cilium.k8s.namespace.labels.team': 'b' })), 'no');
  t.equal(clusterwide(labels({ 'io.cilium.k8s.namespace.labels.team': 'b' }), noManifest), 'maybe');
  const nodes = { nodeSelector: {}, ingress: [{}] };
  t.equal(selected('CiliumClusterwideNetworkPolicy.cilium.io', 'p', nodes, web), 'no', 'a host policy');
});

t.test('Cilium: what is not known is maybe', async (t) => {
  t.equal(cilium(labels({ 'io.cilium.k8s.policy.serviceaccount': 'web' })), 'maybe');
  t.equal(cilium(labels({ 'pod-template-hash': 'abc' })), 'maybe', 'not in the identity by default');
  t.equal(cilium(labels({ 'topology.kubernetes.io/zone': 'a' })), 'maybe');
  t.equal(cilium(labels({ 'container:app': 'web' })), 'maybe', 'another source');
  t.equal(cilium(labels({ app: 'db', 'io.cilium.k8s.policy.serviceaccount': 'web' })), 'no', 'one part is certain');
  t.equal(cilium(undefined), 'maybe', 'no selector');
  t.equal(cilium('all'), 'maybe');
  t.equal(cilium({ matchLabel: { app: 'web' } }), 'maybe', 'a misspelled field');
  t.equal(cilium(labels({ app: 1 })), 'maybe');
  t.equal(cilium(expressions({ key: 'app', operator: 'Is', values: ['web'] })), 'maybe');
  t.equal(cilium(labels({ 'reserved:host': '' })), 'no', 'no pod has it');
});

t.test('Cilium: each entry of specs selects for itself', async (t) => {
  const policy = recognised('CiliumNetworkPolicy.cilium.io', 'shop/p', undefined, {
    specs: [
      { endpointSelector: labels({ app: 'db' }), egress: [{}] },
      { endpointSelector: labels({ app: 'web' }), ingress: [{}] },
    ],
  });
  const bySpec = policy.parts.map(({ subject, ...rest }) => [subjectSelects(subject, web), Object.keys(rest)]);
  t.same(bySpec, [
    ['no', ['egress']],
    ['yes', ['ingress']],
  ]);
});

const calico = (selector: string | undefined, one = web, rest: object = {}) =>
  selected('NetworkPolicy.projectcalico.org', 'shop/p', { selector, ...rest }, one);
const global = (spec: object, one = web) => selected('GlobalNetworkPolicy.crd.projectcalico.org', 'p', spec, one);

t.test('Calico: the selector language', async (t) => {
  const expected: [string, Certainty][] = [
    ['', 'yes'],
    ['all()', 'yes'],
    ["app == 'web'", 'yes'],
    ['app == "db"', 'no'],
    ["app != 'db'", 'yes'],
    ["zone != 'a'", 'yes'],
    ["app in { 'db', 'web' }", 'yes'],
    ["app not in { 'db' }", 'yes'],
    ["zone not in {'a'}", 'yes'],
    ['app in {}', 'no'],
    ['has(app)', 'yes'],
    ['!has(app)', 'no'],
    ["app contains 'e'", 'yes'],
    ["app starts with 'we'", 'yes'],
    ["app ends with 'x'", 'no'],
    ["zone starts with 'a'", 'no'],
    ["has(zone) || app == 'web' && tier == 'front'", 'yes'],
    ["(has(zone) || app == 'web') && tier == 'back'", 'no'],
    ["!(app == 'db' || tier == 'back')", 'yes'],
    ['!!has(app)', 'yes'],
    ["app.kubernetes.io/name == 'web'", 'yes'],
    ["projectcalico.org/namespace == 'shop'", 'yes'],
    ["projectcalico.org/namespace == 'blog'", 'no'],
  ];
  for (const [selector, certainty] of expected) t.equal(calico(selector), certainty, selector);
});

t.test('Calico: what is no selector, or is not known, is maybe', async (t) => {
  for (const selector of [
    'app = web',
    'app == web',
    "app == 'web",
    "app == 'web' &&",
    "(app == 'web'",
    "app like 'web'",
    "any('web')",
    "projectcalico.org/serviceaccount == 'web'",
    'global()',
    `${'!'.repeat(10_000)}has(app)`,
    `${'('.repeat(1_000)}all()${')'.repeat(1_000)}`,
  ])
    t.equal(calico(selector), 'maybe', selector.slice(0, 60));
  t.equal(calico("app == 'web'", web, { serviceAccountSelector: "role == 'db'" }), 'maybe');
  t.equal(calico("app == 'db'", web, { serviceAccountSelector: "role == 'db'" }), 'no');
  t.equal(selected('NetworkPolicy.projectcalico.org', 'shop/p', { selector: 7 }, web), 'maybe');
});

t.test('Calico: namespaced and global policies', async (t) => {
  t.equal(calico('all()', pod('blog/web')), 'no');
  t.equal(calico(undefined), 'yes', 'without a selector');
  t.equal(global({ selector: 'all()' }), 'yes');
  t.equal(global({ namespaceSelector: "team == 'a'" }), 'yes');
  t.equal(global({ namespaceSelector: "projectcalico.org/name == 'shop'", selector: "app == 'web'" }), 'yes');
  t.equal(global({ namespaceSelector: "kubernetes.io/metadata.name == 'blog'" }), 'no');
  t.equal(global({ namespaceSelector: 'global()' }), 'no');
  t.equal(global({ namespaceSelector: 'has(team)' }, noManifest), 'maybe');
  t.equal(global({ selector: 'all()', doNotTrack: true, applyOnForward: true }), 'no', 'never judges pods');
});

const antrea = (appliedTo: unknown, one = web, place = 'shop/p') =>
  selected(
    place.includes('/') ? 'NetworkPolicy.crd.antrea.io' : 'ClusterNetworkPolicy.crd.antrea.io',
    place,
    { appliedTo, ingress: [{ action: 'Drop' }] },
    one,
  );

t.test('Antrea: appliedTo', async (t) => {
  const front = { podSelector: labels({ tier: 'front' }) };
  t.equal(antrea([front]), 'yes');
  t.equal(antrea([front], web, 'blog/p'), 'no');
  t.equal(antrea([front], web, 'p'), 'yes', 'podSelector alone selects in all namespaces');
  t.equal(antrea([{ podSelector: labels({ tier: 'back' }) }, front]), 'yes', 'any entry is enough');
  t.equal(antrea([{ namespaceSelector: labels({ team: 'b' }) }], web, 'p'), 'no');
  t.equal(antrea([{ ...front, namespaceSelector: labels({ team: 'a' }) }], web, 'p'), 'yes');
  t.equal(antrea([{ group: 'web' }], web, 'p'), 'maybe');
  t.equal(antrea([{ serviceAccount: { name: 'web' } }]), 'maybe');
  t.equal(antrea([{ nodeSelector: {} }], web, 'p'), 'no', 'nodes are no pods');
  t.equal(antrea([]), 'maybe');
  t.equal(antrea([{}]), 'maybe');
});

t.test('Antrea: rules with an appliedTo of their own', async (t) => {
  const { parts } = recognised('ClusterNetworkPolicy.crd.antrea.io', 'p', {
    ingress: [
      { action: 'Drop', appliedTo: [{ podSelector: labels({ app: 'web' }) }] },
      { action: 'Drop', appliedTo: [{ podSelector: labels({ app: 'db' }) }] },
    ],
  });
  t.same(
    parts.map(({ subject }) => subjectSelects(subject, web)),
    ['yes', 'no'],
  );
});

const istio = (spec: object, place = 'shop/p', one = web) =>
  selected('AuthorizationPolicy.security.istio.io', place, spec, one);

t.test('Istio: the selector of the namespace; the root namespace may mean all', async (t) => {
  t.equal(istio({}), 'yes');
  t.equal(istio({}, 'blog/p'), 'no');
  t.equal(istio({ selector: labels({ app: 'web' }) }), 'yes');
  t.equal(istio({ selector: labels({ app: 'db' }) }), 'no');
  t.equal(istio({}, 'istio-system/p'), 'maybe');
  t.equal(istio({ selector: labels({ app: 'db' }) }, 'istio-system/p'), 'no');
  t.equal(istio({ targetRefs: [{ kind: 'Service', name: 'web' }] }), 'maybe');
});

t.test('a test of a label whose value is not known is maybe, if the value could decide it', async (t) => {
  const labels = { 'job-name': 'nightly-?' };
  const own = { namespace: 'shop', labels, namespaceLabels: {} };
  const asked = (operator: LabelTest['operator'], ...values: string[]) => {
    return subjectSelects({ is: 'pod', test: { key: 'job-name', operator, values } }, own);
  };
  t.equal(asked('Exists'), 'yes');
  t.equal(asked('DoesNotExist'), 'no');
  t.equal(asked('In', 'nightly-29000000'), 'maybe');
  t.equal(asked('In', 'migrate'), 'no');
  t.equal(asked('NotIn', 'nightly-29000000'), 'maybe');
  t.equal(asked('NotIn', 'migrate'), 'yes');
  for (const operator of ['Contains', 'StartsWith', 'EndsWith'] as const) t.equal(asked(operator, 'x'), 'maybe');
});
