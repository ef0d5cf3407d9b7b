import fc from 'fast-check';
import t from 'tap';
import type { Policy } from '../../model/kubernetes.ts';
import type { Party, SideVerdict } from '../../model/verdict.ts';
import { verdictJson } from '../../policy/explain.ts';
import { type DeniedSide, neededRule } from '../../policy/needed-rule.ts';
import { app, clusterPolicy, outside, pod, policy, someNode, verdictOf } from '../scene/cluster.ts';

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
const clusterRule = (name: 'from' | 'to') =>
  fc.record({
    action: fc.constantFrom('Accept', 'Deny', 'Pass'),
    [name]: fc.constantFrom([{ namespaces: {} }], [{ pods: { namespaceSelector: {}, podSelector: app('web') } }]),
  });
const cluster = fc.record({
  tier: fc.constantFrom('Admin', 'Baseline'),
  ingress: fc.array(clusterRule('from'), { maxLength: 2 }),
  egress: fc.array(clusterRule('to'), { maxLength: 2 }),
});
const written = fc
  .tuple(fc.array(networkPolicy, { maxLength: 5 }), fc.array(cluster, { maxLength: 3 }))
  .map(([local, wide]): Written[] => [
    ...local.map(({ namespace, spec }, i) => ({ place: `${namespace}/p${i}`, spec })),
    // Each its own priority: two that disagree are ambiguous, and no one rule mends that.
    ...wide.map((spec, i) => ({ place: `cnp/c${i}`, spec: { ...spec, priority: 10 * i } })),
  ]);
const podParty = fc
  .tuple(fc.constantFrom(...namespaces), anyApp, fc.boolean())
  .map(([namespace, name, versioned]) =>
    pod(
      `${namespace}/${name}`,
      { app: name, ...(versioned && { 'pod-template-hash': '6d4f' }) },
      { ports: { sql: 5432 } },
    ),
  );
const party: fc.Arbitrary<Party> = fc.oneof(podParty, fc.constantFrom(outside('203.0.113.9'), outside('2001:db8::1')));
const asked = fc.constantFrom<number | string>(80, 5432, 'UDP 53', 'SCTP 9', 'ICMP');

const parsed = ({ place, spec }: Written): Policy =>
  place.startsWith('cnp/') ? clusterPolicy(place, spec) : policy(place, spec);
const isDenied = (side: SideVerdict): side is DeniedSide => side.verdict === 'denied';

/** The policies with the advice followed. */
function followed(policies: readonly Written[], side: DeniedSide): Written[] {
  const needed = neededRule(side)!;
  const place =
    needed.policy.namespace === '' ? `cnp/${needed.policy.name}` : `${needed.policy.namespace}/${needed.policy.name}`;
  return policies.map((one) => {
    if (one.place !== place) return one;
    const now = [...one.spec[side.side]];
    now.splice(needed.before ?? now.length, 0, needed.rule);
    return { place, spec: { ...one.spec, [side.side]: now } };
  });
}

t.test(
  'a denial names exactly the policies that isolate the side, and following its advice makes it allowed',
  async (t) => {
    let denials = 0;
    fc.assert(
      fc.property(written, party, party, asked, (policies, from, to, on) => {
        const before = verdictOf(from, to, on, policies.map(parsed));
        for (const side of before.sides.filter(isDenied)) {
          denials += 1;
          const own = side.side === 'egress' ? from : to;
          if ('isolatedBy' in side) fc.pre(own.kind === 'pod');
          if ('isolatedBy' in side && own.kind === 'pod') {
            const isolating = policies.filter(({ place, spec }) => {
              const alone = verdictOf(own, outside('198.51.100.1'), 9, [
                policy(place, { podSelector: spec.podSelector, policyTypes: ['Egress'] }),
              ]);
              return !place.startsWith('cnp/') && alone.verdict === 'denied';
            });
            const names = side.isolatedBy.map(({ namespace, name }) => `${namespace}/${name}`);
            if (names.join() !== isolating.map(({ place }) => place).join()) return false;
          }
          const after = verdictOf(from, to, on, followed(policies, side).map(parsed));
          if (after.sides.find((one) => one.side === side.side)?.verdict !== 'allowed') return false;
        }
        return true;
      }),
      { numRuns: 5_000 },
    );
    t.ok(denials > 1_000, `${denials} denials`);
  },
);

t.test('the advice in words', async (t) => {
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

t.test('no advice where no rule could be written', async (t) => {
  const web = pod('shop/web', { app: 'web' });
  const odd = clusterPolicy('cnp/odd', { ingress: [{ action: 'Deny', from: [{ moons: {} }] }] });
  t.notHas(verdictJson(verdictOf(outside('203.0.113.9'), web, 80, [odd])).sides[0], { needs: String });
  const none = policy('shop/none', { podSelector: {}, policyTypes: ['Egress'] });
  t.notHas(verdictJson(verdictOf(web, someNode('shop/proxy'), 80, [none])).sides[0], { needs: String });
});
