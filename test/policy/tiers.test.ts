import t from 'tap';
import type { Labels } from '../../model/kubernetes.ts';
import type { Party, SideVerdict } from '../../model/verdict.ts';
import {
  app,
  clusterPolicy,
  nodeAddress,
  outside,
  pod,
  policy,
  sideOf,
  someNode,
  verdictOf,
} from '../scene/cluster.ts';
import { ip } from '../scene/records.ts';

const web = pod('shop/web', { app: 'web' });
const db = pod('shop/db', { app: 'db' }, { ips: ['10.0.0.2'], ports: { sql: 5432 } });
const internet = outside('203.0.113.9');
const everyPod = { namespaces: {} };
const from = [everyPod];
const accept = { action: 'Accept', from };
const deny = { action: 'Deny', from };
const pass = { action: 'Pass', from };
const isolated = policy('shop/all', { podSelector: {} });
const open = policy('shop/open', { podSelector: {}, ingress: [{}] });
const baseline = (ingress: object[]) => clusterPolicy('cnp/base', { tier: 'Baseline', ingress });
const admin = (ingress: object[]) => clusterPolicy('cnp/admin', { ingress });
const ingressOf = (
  policies: Parameters<typeof verdictOf>[3],
  by: Party = web,
  port: number | string = 80,
): SideVerdict => sideOf(verdictOf(by, db, port, policies), 'ingress');
const egressTo = (to: Party, egress: object[], port: number | string = 443): SideVerdict =>
  sideOf(verdictOf(web, to, port, [clusterPolicy('cnp/out', { egress })]), 'egress');
const byRule = (tier: string, name: string, rule = 0) => ({ decidedBy: { tier, policy: { name }, rule } });

t.test('rule 18: the order is Admin tier, NetworkPolicy, Baseline tier, undeclared', async (t) => {
  t.match(ingressOf([admin([deny]), open, baseline([accept])]), { verdict: 'denied', ...byRule('Admin', 'admin') });
  t.match(ingressOf([open, baseline([deny])]), { verdict: 'allowed', ...byRule('NetworkPolicy', 'open') });
  t.match(ingressOf([baseline([deny])]), { verdict: 'denied', ...byRule('Baseline', 'base') });
  t.match(ingressOf([clusterPolicy('cnp/none', { egress: [{ action: 'Deny', to: [everyPod] }] })]), {
    verdict: 'undeclared',
  });
});

t.test('rule 19: the lower priority decides in a tier, and the first matching rule in a policy', async (t) => {
  const first = clusterPolicy('cnp/z', { priority: 0, ingress: [accept] });
  t.match(ingressOf([admin([deny]), first]), { verdict: 'allowed', ...byRule('Admin', 'z') });
  t.match(ingressOf([admin([{ ...deny, protocols: [{ tcp: { destinationPort: { number: 22 } } }] }, accept, deny])]), {
    verdict: 'allowed',
    ...byRule('Admin', 'admin', 1),
  });
});

t.test(
  'rule 19: two policies of the same priority with different actions are ambiguous, and the reason names both',
  async (t) => {
    const policies = [admin([deny]), clusterPolicy('cnp/other', { ingress: [accept] })];
    t.match(ingressOf(policies), {
      verdict: 'unknown',
      why: { reason: 'ambiguous-priority', policies: [{ name: 'admin' }, { name: 'other' }] },
    });
    t.equal(ingressOf([admin([deny]), clusterPolicy('cnp/other', { ingress: [deny] })]).verdict, 'denied');
    const otherPort = clusterPolicy('cnp/other', {
      ingress: [{ ...accept, protocols: [{ udp: { destinationPort: { number: 80 } } }] }],
    });
    t.equal(ingressOf([admin([deny]), otherPort]).verdict, 'denied', 'only one matches');
    const before = clusterPolicy('cnp/before', { priority: 1, ingress: [accept] });
    t.equal(ingressOf([...policies, before]).verdict, 'allowed', 'an earlier policy decides');
  },
);

t.test('rule 20: Pass skips the rest of the tier', async (t) => {
  t.match(ingressOf([admin([pass, deny]), isolated]), { verdict: 'denied', isolatedBy: [{ name: 'all' }] });
  t.match(ingressOf([admin([pass, deny]), baseline([deny])]), { verdict: 'denied', ...byRule('Baseline', 'base') });
  t.equal(ingressOf([admin([pass, deny])]).verdict, 'undeclared');
});

t.test("rule 20: Accept on egress does not decide the responder's ingress", async (t) => {
  const policies = [clusterPolicy('cnp/out', { egress: [{ action: 'Accept', to: [everyPod] }] }), isolated];
  const verdict = verdictOf(web, db, 80, policies);
  t.equal(sideOf(verdict, 'egress').verdict, 'allowed');
  t.equal(verdict.verdict, 'denied');
});

t.test('rule 21: a policy without rules for a direction isolates nothing', async (t) => {
  t.equal(ingressOf([admin([]), open]).verdict, 'allowed');
  t.equal(ingressOf([clusterPolicy('cnp/none', { ingress: [] })]).verdict, 'undeclared');
});

t.test('rule 22: the Baseline tier applies only to a side that no NetworkPolicy isolates', async (t) => {
  t.match(ingressOf([isolated, baseline([accept])]), { verdict: 'denied', isolatedBy: [{ name: 'all' }] });
});

t.test('rule 23: subject and peers select namespaces or pods, and never a host-network pod', async (t) => {
  const subject = (one: object) => ingressOf([clusterPolicy('cnp/admin', { subject: one, ingress: [deny] })]).verdict;
  const shop = { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } };
  t.equal(subject({ namespaces: shop }), 'denied');
  t.equal(subject({ pods: { namespaceSelector: shop, podSelector: app('db') } }), 'denied');
  t.equal(subject({ pods: { namespaceSelector: shop, podSelector: app('web') } }), 'undeclared');
  t.equal(ingressOf([admin([deny])], nodeAddress('192.0.2.7', 'n9')).verdict, 'undeclared');
  t.equal(ingressOf([admin([deny])], internet).verdict, 'undeclared');
});

const nodeWith = (nodeLabels: Labels): Party => ({ kind: 'address', address: ip('192.0.2.7'), node: 'n9', nodeLabels });

t.test('rule 24: nodes match by the labels of the node that has the address in its status', async (t) => {
  const to = [{ nodes: { matchLabels: { pool: 'db' } } }];
  const node = nodeWith({ pool: 'db' });
  t.equal(egressTo(node, [{ action: 'Deny', to }]).verdict, 'denied');
  t.equal(egressTo(nodeWith({}), [{ action: 'Deny', to }]).verdict, 'undeclared');
  t.equal(
    egressTo(nodeAddress('192.0.2.7', 'n9'), [{ action: 'Deny', to }]).verdict,
    'undeclared',
    'not in its status',
  );
  t.match(egressTo(someNode('shop/proxy'), [{ action: 'Deny', to }]), { why: { reason: 'address-not-known' } });
});

t.test('rule 24: networks match external addresses and addresses of pods', async (t) => {
  const to = [{ networks: ['10.0.0.0/24', '203.0.113.0/24'] }];
  t.equal(egressTo(internet, [{ action: 'Deny', to }]).verdict, 'denied');
  t.equal(egressTo(db, [{ action: 'Deny', to }]).verdict, 'denied');
  t.equal(egressTo(outside('198.51.100.1'), [{ action: 'Deny', to }]).verdict, 'undeclared');
});

t.test('rule 24: domainNames match by DNS answers, and give unknown if answers may be missing', async (t) => {
  const rules = [
    { action: 'Accept', to: [{ domainNames: ['*.example.com', 'api.test'] }] },
    { action: 'Deny', to: [{ networks: ['0.0.0.0/0'] }] },
  ];
  const named = (...names: string[]) => egressTo({ ...internet, names, namesKnown: true } as Party, rules).verdict;
  t.equal(named('www.example.com'), 'allowed');
  t.equal(named('a.b.example.com'), 'allowed', 'several labels');
  t.equal(named('example.com'), 'denied', 'not without a label');
  t.equal(named('badexample.com'), 'denied', 'whole labels');
  t.equal(named('other.test', 'api.test'), 'allowed', 'any of its names');
  t.match(egressTo(internet, rules), {
    verdict: 'unknown',
    why: { reason: 'names-not-known', policies: [{ name: 'out' }] },
  });
  const unknownOf = (names: object) => {
    const verdict = egressTo({ ...internet, ...names } as Party, rules);
    return verdict.verdict === 'unknown' && verdict.why.reason === 'names-not-known'
      ? (verdict.why.gap ?? '')
      : verdict;
  };
  t.equal(unknownOf({ names: ['other.test'], namesGap: 'watched-late' }), 'watched-late', 'it may have more names');
  t.equal(unknownOf({ namesKnown: true, possibleNames: ['api.test'] }), 'reply-missed', 'the pod asked for that name');
  t.match(egressTo({ ...internet, namesKnown: true } as Party, rules), { verdict: 'denied' }, 'it has no name at all');
  t.match(egressTo({ ...internet, namesKnown: true, possibleNames: ['x.test'] } as Party, rules), {
    verdict: 'denied',
  });
  t.match(egressTo({ ...internet, names: ['api.test'], namesGap: 'losses' } as unknown as Party, rules), {
    verdict: 'allowed',
  });
  t.equal(egressTo(internet, [rules[0]!, { action: 'Accept', to: [{ networks: ['0.0.0.0/0'] }] }]).verdict, 'allowed');
});

t.test('rule 25: protocols match by number, by range or by the name of a port of the responder', async (t) => {
  const denied = (protocols: object[], port: number | string) =>
    ingressOf([admin([{ ...deny, protocols }])], web, port).verdict;
  t.equal(denied([{ tcp: { destinationPort: { number: 80 } } }], 80), 'denied');
  t.equal(denied([{ tcp: { destinationPort: { number: 80 } } }], 81), 'undeclared');
  t.equal(denied([{ tcp: { destinationPort: { range: { start: 80, end: 90 } } } }], 90), 'denied');
  t.equal(denied([{ udp: { destinationPort: { number: 80 } } }], 80), 'undeclared');
  t.equal(denied([{ destinationNamedPort: 'sql' }], 5432), 'denied');
  t.equal(denied([{ destinationNamedPort: 'sql' }], 80), 'undeclared');
  t.equal(ingressOf([admin([deny])], web, 'ICMP').verdict, 'denied', 'no protocols match every protocol');
});

t.test('rule 26: a rule with a peer or protocol of an unknown form fails closed', async (t) => {
  const odd = { from: [{ moons: {} }] };
  t.equal(ingressOf([admin([{ action: 'Accept', ...odd }]), isolated]).verdict, 'denied', 'Accept matches nothing');
  for (const action of ['Deny', 'Pass']) {
    const side = ingressOf([admin([{ action, ...odd }, accept])]);
    t.match(side, { verdict: 'denied', notUnderstood: 'spec.ingress[0].from[0]' }, `${action} denies everything`);
  }
  t.equal(ingressOf([admin([{ ...deny, protocols: [{ quic: {} }] }])], web, 'ICMP').verdict, 'denied');
});

t.test('rule 27: AdminNetworkPolicy and BaselineAdminNetworkPolicy are the same tiers', async (t) => {
  const anp = clusterPolicy('anp/old', { priority: 7, ingress: [{ action: 'Allow', from }] });
  const banp = clusterPolicy('banp/default', { ingress: [deny] });
  t.match(ingressOf([anp, banp, admin([deny])]), { verdict: 'allowed', ...byRule('Admin', 'old') });
  t.match(ingressOf([banp]), { verdict: 'denied', ...byRule('Baseline', 'default') });
  t.equal(ingressOf([banp, isolated, open]).verdict, 'allowed');
});

t.test(
  "rule 12: a cluster policy's egress rule comes before the rule that a pod may always reach its own node",
  async (t) => {
    const own = { ...nodeAddress('192.0.2.1', 'n1'), nodeLabels: {} };
    const to = [{ networks: ['192.0.2.0/24'] }];
    t.equal(egressTo(own, [{ action: 'Deny', to }]).verdict, 'denied');
    t.match(egressTo(own, [{ action: 'Pass', to }]), { verdict: 'allowed', decidedBy: { reason: 'own-node' } });
    t.match(ingressOf([admin([{ action: 'Deny', from: [{ moons: {} }] }])], own), {
      decidedBy: { reason: 'own-node' },
    });
    const byBaseline = clusterPolicy('cnp/out', { tier: 'Baseline', egress: [{ action: 'Deny', to }] });
    t.equal(verdictOf(web, own, 80, [byBaseline]).verdict, 'denied');
    const egressOnly = policy('shop/none', { podSelector: {}, policyTypes: ['Egress'] });
    t.match(sideOf(verdictOf(web, own, 80, [byBaseline, egressOnly]), 'egress'), { decidedBy: { reason: 'own-node' } });
    t.match(sideOf(verdictOf(web, web, 80, [admin([deny])]), 'ingress'), { decidedBy: { reason: 'itself' } });
  },
);

t.test('rule 17: a broken cluster policy makes everything unknown that no policy before it decides', async (t) => {
  const broken = clusterPolicy('cnp/broken', { priority: 50, ingress: [{ action: 'Allow', from }] });
  t.not(broken.broken, undefined);
  t.match(ingressOf([broken, open]), {
    verdict: 'unknown',
    why: { reason: 'broken-policy', policies: [{ name: 'broken' }] },
  });
  t.equal(ingressOf([broken, clusterPolicy('cnp/first', { priority: 1, ingress: [deny] })]).verdict, 'denied');
});
