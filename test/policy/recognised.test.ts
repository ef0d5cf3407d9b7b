// Policies of other APIs: which verdicts they make unknown, by kind, direction and effect (docs/policy-kinds.md).
import t from 'tap';
import type { AnyPolicy } from '../../model/kubernetes.ts';
import type { WatchedKind } from '../../model/recognised-policy.ts';
import { recognisedKinds } from '../../model/recognised-policy.ts';
import { verdictJson } from '../../policy/explain.ts';
import { judge } from '../../policy/judge.ts';
import { defaultPolicyOptions } from '../../policy/options.ts';
import { compilePolicies, withoutPolicy, withPolicy } from '../../policy/policy-set.ts';
import { app, clusterPolicy, flow, nodeAddress, outside, pod, policy, sideOf, verdictOf } from '../scene/cluster.ts';
import { recognised } from '../scene/recognised.ts';

const web = pod('shop/web', { app: 'web' });
const db = pod('shop/db', { app: 'db' }, { ips: ['10.0.0.2'] });

/** The base verdict of a side without the recognised policy. */
const bases: Record<'ingress' | 'egress', Record<'denied' | 'allowed' | 'undeclared', readonly AnyPolicy[]>> = {
  ingress: {
    denied: [policy('shop/db', { podSelector: app('db') })],
    allowed: [policy('shop/db', { podSelector: app('db'), ingress: [{}] })],
    undeclared: [],
  },
  egress: {
    denied: [policy('shop/web', { podSelector: app('web'), policyTypes: ['Egress'] })],
    allowed: [policy('shop/web', { podSelector: app('web'), policyTypes: ['Egress'], egress: [{}] })],
    undeclared: [],
  },
};

const ciliumSelector = (name: string) => ({ endpointSelector: app(name) });
const calicoSelector = (name: string) => ({ selector: `app == '${name}'` });
const antreaApplied = (name: string) => ({ priority: 5, tier: 'securityops', appliedTo: [{ podSelector: app(name) }] });

type Row = {
  kind: WatchedKind;
  what: string;
  place: string;
  /** The spec for a policy that selects `name` in that direction only. */
  spec: (name: string, direction: 'ingress' | 'egress') => object;
  may: 'allow' | 'deny' | 'allow and deny' | 'nothing';
  directions?: readonly ('ingress' | 'egress')[];
};

const peersName = { ingress: 'from', egress: 'to' } as const;
const calicoTypes = { ingress: 'Ingress', egress: 'Egress' } as const;

function ciliumRows(kind: WatchedKind, place: string): Row[] {
  const peers = (direction: 'ingress' | 'egress') => ({ [`${peersName[direction]}Entities`]: ['cluster'] });
  return [
    {
      ...{ kind, place, what: 'allow rules', may: 'allow and deny' },
      spec: (name, direction) => ({ ...ciliumSelector(name), [direction]: [peers(direction)] }),
    },
    {
      ...{ kind, place, what: 'deny rules only', may: 'deny' },
      spec: (name, direction) => ({ ...ciliumSelector(name), [`${direction}Deny`]: [peers(direction)] }),
    },
    {
      ...{ kind, place, what: 'the rule {}, which matches nothing', may: 'deny' },
      spec: (name, direction) => ({ ...ciliumSelector(name), [direction]: [{}] }),
    },
    {
      ...{ kind, place, what: 'allow rules without default deny', may: 'allow' },
      spec: (name, direction) => ({
        ...{ ...ciliumSelector(name), [direction]: [peers(direction)], enableDefaultDeny: { [direction]: false } },
      }),
    },
    {
      kind,
      place,
      what: 'empty lists',
      may: 'nothing',
      spec: (name, direction) => ({ ...ciliumSelector(name), [direction]: [] }),
    },
    {
      ...{ kind, place, what: 'rules that cannot be read', may: 'allow and deny' },
      spec: (name, direction) => ({ ...ciliumSelector(name), [direction]: 'all' }),
    },
  ];
}

function calicoRows(kind: WatchedKind, place: string): Row[] {
  const rules =
    (...actions: string[]) =>
    (name: string, direction: 'ingress' | 'egress') => ({
      ...calicoSelector(name),
      types: [calicoTypes[direction]],
      [direction]: actions.map((action) => ({ action })),
    });
  return [
    { kind, place, what: 'Allow', may: 'allow and deny', spec: rules('Allow') },
    { kind, place, what: 'Deny and Log', may: 'deny', spec: rules('Deny', 'Log') },
    { kind, place, what: 'Pass', may: 'allow and deny', spec: rules('Pass') },
    { kind, place, what: 'an action that is not known', may: 'allow and deny', spec: rules('Divert') },
    { kind, place, what: 'no rules', may: 'deny', spec: rules() },
  ];
}

function antreaRows(kind: WatchedKind, place: string): Row[] {
  const rules = (action: string | undefined) => (name: string, direction: 'ingress' | 'egress') => ({
    ...antreaApplied(name),
    [direction]: [{ action }],
  });
  return [
    { kind, place, what: 'Allow', may: 'allow', spec: rules('Allow') },
    {
      ...{ kind, place, what: 'Allow of some requests', may: 'allow and deny' },
      spec: (name, direction) => ({
        ...antreaApplied(name),
        [direction]: [{ action: 'Allow', l7Protocols: [{ http: { method: 'GET' } }] }],
      }),
    },
    { kind, place, what: 'Drop', may: 'deny', spec: rules('Drop') },
    { kind, place, what: 'Reject', may: 'deny', spec: rules('Reject') },
    { kind, place, what: 'Pass', may: 'allow and deny', spec: rules('Pass') },
    { kind, place, what: 'no action', may: 'allow and deny', spec: rules(undefined) },
    {
      kind,
      place,
      what: 'no rules',
      may: 'nothing',
      spec: (name, direction) => ({ ...antreaApplied(name), [direction]: [] }),
    },
  ];
}

/** Kinds with the form of the policies of Kubernetes. */
function fqdnRows(): Row[] {
  const [kind, place] = ['FQDNNetworkPolicy.networking.gke.io', 'shop/other'] as const;
  const rules = (egress: unknown) => (name: string) => ({ podSelector: app(name), egress });
  return [
    { kind, place, what: 'rules', may: 'allow and deny', directions: ['egress'], spec: rules([{ matches: [] }]) },
    { kind, place, what: 'no rules', may: 'deny', directions: ['egress'], spec: rules([]) },
    { kind, place, what: 'rules that cannot be read', may: 'allow and deny', directions: ['egress'], spec: rules(7) },
  ];
}

function applicationRows(): Row[] {
  const [kind, place] = ['ApplicationNetworkPolicy.networking.k8s.aws', 'shop/other'] as const;
  const spec = (policyTypes: unknown) => (name: string) => ({ podSelector: app(name), policyTypes });
  return [
    {
      ...{ kind, place, what: 'its direction', may: 'allow and deny' },
      spec: (name, direction) => spec([calicoTypes[direction]])(name),
    },
    { kind, place, what: 'the other direction', may: 'nothing', directions: ['ingress'], spec: spec(['Egress']) },
    { kind, place, what: 'the other direction', may: 'nothing', directions: ['egress'], spec: spec(['Ingress']) },
    { kind, place, what: 'no directions', may: 'allow and deny', spec: spec(undefined) },
    { kind, place, what: 'directions that are not known', may: 'allow and deny', spec: spec(['Both']) },
  ];
}

function awsClusterRows(): Row[] {
  const [kind, place] = ['ClusterNetworkPolicy.networking.k8s.aws', 'other'] as const;
  const rules =
    (...actions: string[]) =>
    (name: string, direction: 'ingress' | 'egress') => ({
      tier: 'Admin',
      subject: { pods: { namespaceSelector: {}, podSelector: app(name) } },
      [direction]: actions.map((action) => ({ action })),
    });
  return [
    { kind, place, what: 'Accept', may: 'allow', spec: rules('Accept') },
    { kind, place, what: 'Deny', may: 'deny', spec: rules('Deny') },
    { kind, place, what: 'Pass', may: 'allow and deny', spec: rules('Pass') },
    { kind, place, what: 'no rules', may: 'nothing', spec: rules() },
  ];
}

const rows: Row[] = [
  ...ciliumRows('CiliumNetworkPolicy.cilium.io', 'shop/other'),
  ...ciliumRows('CiliumClusterwideNetworkPolicy.cilium.io', 'other'),
  ...calicoRows('NetworkPolicy.projectcalico.org', 'shop/other'),
  ...calicoRows('NetworkPolicy.crd.projectcalico.org', 'shop/default.other'),
  ...calicoRows('GlobalNetworkPolicy.projectcalico.org', 'other'),
  ...calicoRows('GlobalNetworkPolicy.crd.projectcalico.org', 'default.other'),
  ...antreaRows('NetworkPolicy.crd.antrea.io', 'shop/other'),
  ...antreaRows('ClusterNetworkPolicy.crd.antrea.io', 'other'),
  ...antreaRows('NetworkPolicy.security.antrea.tanzu.vmware.com', 'shop/other'),
  ...antreaRows('ClusterNetworkPolicy.security.antrea.tanzu.vmware.com', 'other'),
  ...fqdnRows(),
  ...applicationRows(),
  ...awsClusterRows(),
];

const bothDirections = ['ingress', 'egress'] as const;

for (const { kind, what, place, spec, may, directions = bothDirections } of rows) {
  for (const direction of directions) {
    const selected = direction === 'ingress' ? 'db' : 'web';
    t.test(`${kind} with ${what} may ${may} (${direction})`, async (t) => {
      const other = recognised(kind, place, spec(selected, direction));
      const outcomes = Object.entries(bases[direction]).map(([base, policies]) => {
        const side = sideOf(verdictOf(web, db, 5432, [...policies, other]), direction);
        const expected = isChanged(base, may) ? 'unknown' : base;
        t.equal(side.verdict, expected, base);
        return side;
      });
      const unknown = outcomes.find(({ verdict }) => verdict === 'unknown');
      t.equal(unknown === undefined, may === 'nothing');
      if (unknown?.verdict === 'unknown') {
        t.equal(unknown.why.reason, 'not-evaluated');
        t.same('policies' in unknown.why && unknown.why.policies.map(({ name }) => name), [other.name]);
      }
      const [otherSide] = verdictOf(web, db, 5432, [other]).sides.filter(({ side }) => side !== direction);
      t.equal(otherSide?.verdict, 'undeclared', 'the other direction is not affected');
    });
  }
}

function isChanged(base: string, may: Row['may']): boolean {
  return base === 'denied' ? may.includes('allow') : may.includes('deny');
}

for (const kind of ['EgressFirewall.k8s.ovn.org', 'EgressNetworkPolicy.network.openshift.io'] as const) {
  const firewall = (...types: string[]) =>
    recognised(kind, 'shop/default', { egress: types.map((type) => ({ type, to: { cidrSelector: '0.0.0.0/0' } })) });
  const internet = outside('203.0.113.9');

  t.test(`${kind} may deny egress to addresses, and never egress to pods or ingress`, async (t) => {
    const other = firewall('Allow', 'Deny');
    t.equal(verdictOf(web, internet, 443, [other]).verdict, 'unknown');
    t.equal(verdictOf(web, internet, 443, [...bases.egress.allowed, other]).verdict, 'unknown');
    t.equal(verdictOf(web, internet, 443, [...bases.egress.denied, other]).verdict, 'denied', 'it allows nothing');
    t.equal(verdictOf(web, db, 5432, [other]).verdict, 'undeclared', 'to a pod');
    t.equal(verdictOf(internet, web, 443, [other]).verdict, 'undeclared', 'ingress');
    t.equal(verdictOf(pod('blog/web'), internet, 443, [other]).verdict, 'undeclared', 'another namespace');
  });

  t.test(`${kind} without a Deny rule has no effect`, async (t) => {
    t.equal(verdictOf(web, internet, 443, [firewall('Allow')]).verdict, 'undeclared');
    t.equal(verdictOf(web, internet, 443, [firewall('deny')]).verdict, 'unknown', 'a type that is not known may deny');
  });
}

t.test('an AuthorizationPolicy changes no verdict, and the verdict of its pods names it', async (t) => {
  const other = recognised('AuthorizationPolicy.security.istio.io', 'shop/other', { selector: app('db') });
  for (const [base, policies] of Object.entries(bases.ingress)) {
    const verdict = verdictOf(web, db, 5432, [...policies, other]);
    t.equal(verdict.verdict, base);
    t.same(verdictJson(verdict).afterNetwork, ['AuthorizationPolicy shop/other'], base);
  }
  t.equal(verdictOf(db, web, 5432, [other]).afterNetwork, undefined, 'egress of its pod');
  t.equal(verdictOf(web, pod('blog/db', { app: 'db' }), 5432, [other]).afterNetwork, undefined, 'another namespace');
});

t.test('an AuthorizationPolicy that decides nothing is not named', async (t) => {
  const audit = recognised('AuthorizationPolicy.security.istio.io', 'shop/other', { action: 'AUDIT' });
  const dryRun = recognised(
    'AuthorizationPolicy.security.istio.io',
    'shop/other',
    {},
    {
      metadata: { name: 'other', namespace: 'shop', annotations: { 'istio.io/dry-run': 'true' } },
    },
  );
  for (const other of [audit, dryRun]) t.equal(verdictOf(web, db, 5432, [other]).afterNetwork, undefined);
});

t.test('every kind has a test of its own above', async (t) => {
  const tested = new Set<string>([
    ...rows.map(({ kind }) => kind),
    'EgressFirewall.k8s.ovn.org',
    'EgressNetworkPolicy.network.openshift.io',
    'AuthorizationPolicy.security.istio.io',
  ]);
  t.same([...tested].sort(), [...recognisedKinds].sort());
});

t.test(
  'the reason names kind, namespace and name, with the group where an evaluated kind has the same name',
  async (t) => {
    const cilium = recognised('CiliumNetworkPolicy.cilium.io', 'shop/db', { endpointSelector: {}, ingress: [{}] });
    const calico = recognised('NetworkPolicy.projectcalico.org', 'shop/db', { types: ['Ingress'] });
    t.equal(verdictJson(verdictOf(web, db, 1, [cilium])).reason, 'CiliumNetworkPolicy shop/db is not evaluated');
    t.equal(
      verdictJson(verdictOf(web, db, 1, [calico, cilium])).reason,
      'CiliumNetworkPolicy shop/db and NetworkPolicy.projectcalico.org shop/db are not evaluated',
    );
  },
);

t.test('a Calico policy that both API groups show is named once', async (t) => {
  const spec = { types: ['Ingress'] };
  const shown = recognised('NetworkPolicy.projectcalico.org', 'shop/db', spec);
  const reason = (...policies: AnyPolicy[]) => verdictJson(verdictOf(web, db, 1, policies)).reason;
  const once = 'NetworkPolicy.projectcalico.org shop/db is not evaluated';
  t.equal(reason(shown, recognised('NetworkPolicy.crd.projectcalico.org', 'shop/default.db', spec)), once);
  t.equal(reason(shown, recognised('NetworkPolicy.crd.projectcalico.org', 'shop/db', spec)), once);
  const other = recognised('NetworkPolicy.crd.projectcalico.org', 'shop/default.web', spec);
  t.match(
    reason(shown, other),
    /crd\.projectcalico\.org shop\/default\.web and NetworkPolicy\.projectcalico\.org shop\/db/,
  );
  const global = recognised('GlobalNetworkPolicy.crd.projectcalico.org', 'db', spec);
  t.match(reason(shown, global), /GlobalNetworkPolicy db and/);
});

t.test('a certain denial of the other side outweighs it', async (t) => {
  const cilium = recognised('CiliumNetworkPolicy.cilium.io', 'shop/db', { endpointSelector: app('db'), ingress: [{}] });
  t.equal(verdictOf(web, db, 5432, [...bases.egress.denied, cilium]).verdict, 'denied');
});

t.test('a Cilium policy does not change what the Admin tier decides', async (t) => {
  const cilium = recognised('CiliumNetworkPolicy.cilium.io', 'shop/db', {
    ...{ endpointSelector: app('db'), ingress: [{ fromEntities: ['all'] }] },
  });
  const admin = (action: string) => clusterPolicy('cnp/first', { ingress: [{ action, from: [{ namespaces: {} }] }] });
  t.equal(sideOf(verdictOf(web, db, 1, [admin('Accept'), cilium]), 'ingress').verdict, 'allowed');
  t.equal(sideOf(verdictOf(web, db, 1, [admin('Deny'), cilium]), 'ingress').verdict, 'denied');
  t.equal(sideOf(verdictOf(web, db, 1, [admin('Pass'), cilium]), 'ingress').verdict, 'unknown');
  const calico = recognised('GlobalNetworkPolicy.projectcalico.org', 'first', { types: ['Ingress'] });
  t.equal(
    sideOf(verdictOf(web, db, 1, [admin('Accept'), calico]), 'ingress').verdict,
    'unknown',
    'a Calico tier may be first',
  );
});

t.test('own node: Cilium denies it by deny rules only, Calico never, and egress to it depends on both', async (t) => {
  const node = nodeAddress('192.0.2.1', 'n1');
  const cilium = (spec: object) =>
    recognised('CiliumNetworkPolicy.cilium.io', 'shop/db', { endpointSelector: {}, ...spec });
  const calico = recognised('NetworkPolicy.projectcalico.org', 'shop/db', { types: ['Ingress', 'Egress'] });
  const antrea = recognised('NetworkPolicy.crd.antrea.io', 'shop/db', {
    ...antreaApplied('db'),
    ingress: [{ action: 'Drop' }],
  });
  t.equal(verdictOf(node, db, 1, [cilium({ ingress: [{}] })]).verdict, 'allowed');
  t.equal(verdictOf(node, db, 1, [cilium({ ingressDeny: [{ fromEntities: ['host'] }] })]).verdict, 'unknown');
  t.equal(verdictOf(node, db, 1, [calico]).verdict, 'allowed');
  t.equal(verdictOf(node, db, 1, [antrea]).verdict, 'unknown');
  t.equal(verdictOf(db, node, 1, [cilium({ egress: [{}] })]).verdict, 'unknown');
  t.equal(verdictOf(db, node, 1, [calico]).verdict, 'unknown');
  t.equal(verdictOf(db, db, 1, [calico]).verdict, 'allowed', 'itself');
});

t.test('a set that changes step by step gives the verdicts of a set that is compiled at once', async (t) => {
  const versions = [
    recognised('CiliumNetworkPolicy.cilium.io', 'shop/a', { endpointSelector: app('db'), ingress: [{}] }),
    recognised('GlobalNetworkPolicy.projectcalico.org', 'a', { selector: "app == 'web'", types: ['Egress'] }),
    recognised('CiliumNetworkPolicy.cilium.io', 'shop/a', { endpointSelector: app('web'), egress: [{}] }),
    recognised('NetworkPolicy.projectcalico.org', 'shop/a', { types: ['Ingress'] }),
  ];
  const verdictsOf = (set: ReturnType<typeof compilePolicies>) =>
    [flow(web, db, 1), flow(db, web, 1)].map((one) => verdictJson(judge(one, set, defaultPolicyOptions)));
  let set = compilePolicies([...bases.ingress.denied]);
  const present = new Map<string, AnyPolicy>();
  for (const one of versions) {
    present.set(`${one.kind}/${one.name}`, one);
    set = withPolicy(set, one);
    t.same(verdictsOf(set), verdictsOf(compilePolicies([...bases.ingress.denied, ...present.values()])));
  }
  for (const [key, one] of present) {
    present.delete(key);
    set = withoutPolicy(set, one);
    t.same(verdictsOf(set), verdictsOf(compilePolicies([...bases.ingress.denied, ...present.values()])));
  }
});
