import fc from 'fast-check';
import t from 'tap';
import type { Policy } from '../../model/kubernetes.ts';
import type { Party, SideVerdict } from '../../model/verdict.ts';
import { combineAlternatives } from '../../policy/alternatives.ts';
import { verdictJson } from '../../policy/explain.ts';
import { type DeniedSide, neededRule } from '../../policy/needed-rule.ts';
import { defaultPolicyOptions } from '../../policy/options.ts';
import {
  app,
  clusterPolicy,
  outside,
  type PodParty,
  pod,
  policy,
  someNode,
  template,
  verdictOf,
} from '../scene/cluster.ts';

const apps = ['web', 'db', 'cron'];
const namespaces = ['shop', 'jobs'];
const anyApp = fc.constantFrom(...apps);
const selector = fc.oneof(
  fc.constant({}),
  anyApp.map(app),
  anyApp.map((name) => ({ matchExpressions: [{ key: 'app', operator: 'NotIn', values: [name] }] })),
);
const port = fc.constantFrom({ port: 80 }, { port: 'sql' }, { protocol: 'UDP', port: 53 }, { port: 1, endPort: 90 });
const peer = fc.oneof(
  selector.map((podSelector) => ({ podSelector })),
  selector.map((podSelector) => ({ namespaceSelector: {}, podSelector })),
  fc.constant({ ipBlock: { cidr: '203.0.113.0/28' } }),
);
const rules = (name: 'from' | 'to') =>
  fc.array(
    fc.record({ [name]: fc.array(peer, { minLength: 1, maxLength: 2 }), ports: fc.array(port, { maxLength: 2 }) }),
    {
      maxLength: 2,
    },
  );
type Written = { place: string; spec: { podSelector?: object; ingress: object[]; egress: object[] } };
const networkPolicy = fc
  .record({
    namespace: fc.constantFrom(...namespaces),
    podSelector: selector,
    ingress: rules('from'),
    egress: rules('to'),
  })
  .map(({ namespace, ...spec }) => ({ namespace, spec: { ...spec, policyTypes: ['Ingress', 'Egress'] } }));
const clusterPeers = {
  from: [
    [{ namespaces: {} }],
    [{ namespaces: { matchLabels: { team: 'a' } } }],
    [{ pods: { namespaceSelector: {}, podSelector: app('web') } }],
  ],
  to: [
    [{ namespaces: {} }],
    [{ pods: { namespaceSelector: {}, podSelector: app('web') } }],
    [{ networks: ['10.0.0.0/25', '203.0.113.0/28'] }],
    [{ networks: ['0.0.0.0/0'] }],
    [{ nodes: {} }, { networks: ['2001:db8::/64'] }],
  ],
};
const clusterRule = (name: 'from' | 'to') =>
  fc.record({
    action: fc.constantFrom('Accept', 'Deny', 'Deny', 'Pass'),
    [name]: fc.constantFrom(...clusterPeers[name]),
  });
const cluster = fc.record({
  tier: fc.constantFrom('Admin', 'Admin', 'Baseline'),
  subject: fc.constantFrom({ namespaces: {} }, { namespaces: {} }, { namespaces: { matchLabels: { team: 'a' } } }),
  // Few values, so two policies often have the same one.
  priority: fc.constantFrom(10, 20, 30),
  ingress: fc.array(clusterRule('from'), { maxLength: 2 }),
  egress: fc.array(clusterRule('to'), { maxLength: 2 }),
});
const written = fc
  .tuple(fc.array(networkPolicy, { maxLength: 5 }), fc.array(cluster, { maxLength: 3 }))
  .map(([local, wide]): Written[] => [
    ...local.map(({ namespace, spec }, i) => ({ place: `${namespace}/p${i}`, spec })),
    ...wide.map((spec, i) => ({ place: `cnp/c${i}`, spec })),
  ]);
/** Nothing special, a label for one namespace, or labels that are not known. */
const someNamespaceTraits = [
  {},
  { namespaceLabels: { 'kubernetes.io/metadata.name': 'jobs', team: 'a' } },
  { namespaceLabelsKnown: false as const },
];
const podParty = fc
  .record({
    namespace: fc.constantFrom(...namespaces),
    name: anyApp,
    versioned: fc.boolean(),
    addressed: fc.boolean(),
    namespaceTraits: fc.constantFrom(...someNamespaceTraits),
  })
  .map(({ namespace, name, versioned, addressed, namespaceTraits }): PodParty => {
    const labels = { app: name, ...(versioned && { 'pod-template-hash': '6d4f' }) };
    const own = (addressed ? pod : template)(`${namespace}/${name}`, labels, { ports: { sql: 5432 } });
    const traits = namespace === 'jobs' || 'namespaceLabelsKnown' in namespaceTraits ? namespaceTraits : {};
    return { ...own, ...traits };
  });
const outsideParties: Party[] = [
  outside('203.0.113.9'),
  outside('2001:db8::1'),
  { ...outside('192.0.2.7'), node: 'n7', nodeLabels: {} } as Party,
];
const party: fc.Arbitrary<Party> = fc.oneof(podParty, fc.constantFrom(...outsideParties));
/** Backends of a Service: selected pods, or endpoints with addresses. */
const several = { minLength: 2, maxLength: 4 };
const backends = fc.oneof(
  fc.array(podParty, several),
  fc.array(
    party.filter((one) => one.kind !== 'pod' || one.addresses.length > 0),
    several,
  ),
);
const asked = fc.constantFrom<number | string>(80, 5432, 'UDP 53', 'SCTP 9', 'ICMP');

const parsed = ({ place, spec }: Written): Policy =>
  place.startsWith('cnp/') ? clusterPolicy(place, spec) : policy(place, spec);
const isDenied = (side: SideVerdict): side is DeniedSide => side.verdict === 'denied';

/** The policies with the needed rule added; undefined if no rule can allow the side. */
function followed(policies: readonly Written[], side: DeniedSide): Written[] | undefined {
  const needed = neededRule(side);
  if (needed === undefined) return undefined;
  const place =
    needed.policy.namespace === '' ? `cnp/${needed.policy.name}` : `${needed.policy.namespace}/${needed.policy.name}`;
  return policies.map((one) => {
    if (one.place !== place) return one;
    const now = [...one.spec[side.side]];
    now.splice(needed.insertBefore ?? now.length, 0, needed.rule);
    return { place, spec: { ...one.spec, [side.side]: now } };
  });
}

/** The NetworkPolicies that isolate the pod. Each isolates both directions, so egress is enough to find them. */
function isolating(own: PodParty, policies: readonly Written[]): string[] {
  const alone = ({ place, spec }: Written) =>
    verdictOf(own, outside('198.51.100.1'), 9, [
      policy(place, { podSelector: spec.podSelector, policyTypes: ['Egress'] }),
    ]).verdict;
  return policies.filter((one) => !one.place.startsWith('cnp/') && alone(one) === 'denied').map(({ place }) => place);
}

t.test('a denied side names exactly the policies that isolate it', async () => {
  fc.assert(
    fc.property(written, party, party, asked, (policies, from, to, on) => {
      for (const side of verdictOf(from, to, on, policies.map(parsed)).sides) {
        const own = side.side === 'egress' ? from : to;
        if (!('isolatedBy' in side) || own.kind !== 'pod') continue;
        const names = side.isolatedBy.map(({ namespace, name }) => `${namespace}/${name}`);
        if (names.join() !== isolating(own, policies).join()) return false;
      }
      return true;
    }),
    { numRuns: 2_000 },
  );
});

t.test(
  'adding the needed rule makes the side allowed, and adding those of both sides makes the connection allowed',
  async (t) => {
    const counts = { side: 0, connection: 0, 'no needed rule': 0, 'before another rule': 0 };
    fc.assert(
      fc.property(written, party, party, asked, (policies, from, to, on) => {
        const before = verdictOf(from, to, on, policies.map(parsed));
        let all: Written[] | undefined = [...policies];
        for (const side of before.sides.filter(isDenied)) {
          const fixed = followed(policies, side);
          all = all && followed(all, side);
          if (side.insertBefore !== undefined && side.insertBefore !== 'nowhere') counts['before another rule'] += 1;
          counts[fixed === undefined ? 'no needed rule' : 'side'] += 1;
          if (fixed === undefined) continue;
          const after = verdictOf(from, to, on, fixed.map(parsed));
          if (after.sides.find((one) => one.side === side.side)?.verdict !== 'allowed') return false;
        }
        const isFixable = before.verdict === 'denied' && !before.sides.some((side) => side.verdict === 'unknown');
        if (!isFixable || all === undefined) return true;
        counts.connection += 1;
        return verdictOf(from, to, on, all.map(parsed)).verdict === 'allowed';
      }),
      { numRuns: 10_000 },
    );
    t.comment(JSON.stringify(counts));
    for (const [what, times] of Object.entries(counts)) t.ok(times > 20, `${times} times: ${what}`);
  },
);

t.test('two policies of the same priority that deny a connection give no needed rule', async (t) => {
  const [web, cron] = [pod('shop/web', app('web').matchLabels), pod('jobs/cron', app('cron').matchLabels)];
  const deny = (name: string, priority: number) =>
    clusterPolicy(`cnp/${name}`, { priority, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] });
  const needs = (...policies: Policy[]) => verdictJson(verdictOf(cron, web, 80, policies)).sides[1]?.needs;
  t.match(needs(deny('a', 5)), /before spec.ingress\[0\]/);
  t.equal(needs(deny('a', 5), deny('b', 5)), undefined);
  t.match(needs(deny('a', 5), deny('b', 6)), /ClusterNetworkPolicy a before/);
});

t.test('the needed rule comes before a rule that may deny the connection first', async (t) => {
  const [web, cron] = [template('shop/web', app('web').matchLabels), template('jobs/cron', app('cron').matchLabels)];
  const metadata = clusterPolicy('cnp/metadata', {
    egress: [{ action: 'Deny', to: [{ networks: ['169.254.169.254/32'] }] }],
  });
  const closed = policy('jobs/closed', { podSelector: {}, policyTypes: ['Egress'] });
  t.equal(
    verdictJson(verdictOf(cron, web, 80, [metadata, closed])).sides[0]?.needs,
    'needs a rule in ClusterNetworkPolicy metadata before spec.egress[0] that accepts egress to pods with app=web in namespace shop on TCP 80',
  );
});

t.test('adding all needed rules of a Service makes every backend allowed', async (t) => {
  let denied = 0;
  fc.assert(
    fc.property(written, party, backends, asked, (policies, from, to, on) => {
      const whole = (of: readonly Written[]) => {
        const set = of.map(parsed);
        const alternatives = to.map((responder) => ({
          initiator: from,
          responder,
          verdict: verdictOf(from, responder, on, set),
        }));
        return combineAlternatives(
          alternatives,
          true,
          { reason: 'backend-not-known', service: 'shop/web' },
          defaultPolicyOptions,
        );
      };
      const before = whole(policies);
      if (before.verdict !== 'denied') return true;
      const sides = (before.alternatives ?? [{ verdict: before }]).flatMap(({ verdict }) => verdict.sides);
      if (sides.some((side) => side.verdict === 'unknown')) return true;
      const all = sides
        .filter(isDenied)
        .reduce<Written[] | undefined>((so, side) => so && followed(so, side), [...policies]);
      const deniedSides = verdictJson(before).sides.filter((side) => side.verdict === 'denied');
      if (all === undefined) return deniedSides.some(({ needs }) => needs === undefined);
      denied += 1;
      return deniedSides.every(({ needs }) => needs !== undefined) && whole(all).verdict === 'allowed';
    }),
    { numRuns: 5_000 },
  );
  t.ok(denied > 100, `${denied} denials`);
});

t.test('the text of a needed rule', async (t) => {
  const web = pod('shop/web', { app: 'web', 'pod-template-hash': '6d4f' });
  const db = pod('data/db', { app: 'db' });
  const needs = (from: Party, to: Party, port: number | string, policies: Policy[]) =>
    verdictJson(verdictOf(from, to, port, policies)).sides.flatMap((side) => side.needs ?? []);
  t.same(needs(web, db, 5432, [policy('data/db', { podSelector: {} })]), [
    'needs a rule in NetworkPolicy data/db that allows ingress from pods with app=web in namespace shop on TCP 5432',
  ]);
  const noEgress = policy('shop/web', { podSelector: {}, policyTypes: ['Egress'] });
  t.same(needs(web, outside('2001:db8::1'), 'ICMPv6', [noEgress]), [
    'needs a rule in NetworkPolicy shop/web that allows egress to 2001:db8::1/128 on every port and protocol',
  ]);
  const deny = clusterPolicy('anp/deny', { ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] });
  t.same(needs(web, db, 80, [deny]), [
    'needs a rule in AdminNetworkPolicy deny before spec.ingress[0] that accepts ingress from pods with app=web in namespace shop on TCP 80',
  ]);
});

t.test('a side that no rule can allow has no needed rule', async (t) => {
  const web = pod('shop/web', { app: 'web' });
  const odd = clusterPolicy('cnp/odd', { ingress: [{ action: 'Deny', from: [{ moons: {} }] }] });
  t.notHas(verdictJson(verdictOf(outside('203.0.113.9'), web, 80, [odd])).sides[0], { needs: String });
  const none = policy('shop/none', { podSelector: {}, policyTypes: ['Egress'] });
  t.notHas(verdictJson(verdictOf(web, someNode('shop/proxy'), 80, [none])).sides[0], { needs: String });
});
