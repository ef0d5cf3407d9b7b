import t from 'tap';
import type { NetworkPolicy } from '../../model/kubernetes.ts';
import type { Party } from '../../model/verdict.ts';
import { app, nodeAddress, outside, pod, policy, sideOf, someNode, template, verdictOf } from '../scene/cluster.ts';

const db = pod('shop/db', { app: 'db' }, { ips: ['10.0.0.9'], node: 'n9' });

/** A policy that allows these peers to reach db. */
function from(...peers: object[]): NetworkPolicy[] {
  return [policy('shop/db', { podSelector: app('db'), ingress: [{ from: peers }] })];
}

function ingress(initiator: Party, policies: NetworkPolicy[], options = {}): string {
  return sideOf(verdictOf(initiator, db, 80, policies, options), 'ingress').verdict;
}

t.test('rule 7: a peer with only podSelector matches pods of the policy’s namespace', async (t) => {
  const policies = from({ podSelector: app('web') });
  t.equal(ingress(pod('shop/web', { app: 'web' }), policies), 'allowed');
  t.equal(ingress(pod('shop/cron', { app: 'cron' }), policies), 'denied');
  t.equal(ingress(pod('other/web', { app: 'web' }), policies), 'denied');
});

t.test('rule 7: a peer with only namespaceSelector matches every pod of those namespaces', async (t) => {
  const policies = from({ namespaceSelector: { matchLabels: { team: 'a' } } });
  t.equal(ingress(pod('other/any', {}, { namespaceLabels: { team: 'a' } }), policies), 'allowed');
  t.equal(ingress(pod('other/any', { team: 'a' }, { namespaceLabels: { team: 'b' } }), policies), 'denied');
  t.equal(ingress(pod('other/any'), from({ namespaceSelector: {} })), 'allowed');
});

t.test('rule 7: both selectors in one peer must both match', async (t) => {
  const policies = from({ namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: app('web') });
  const teamA = { namespaceLabels: { team: 'a' } };
  t.equal(ingress(pod('other/web', { app: 'web' }, teamA), policies), 'allowed');
  t.equal(ingress(pod('other/cron', { app: 'cron' }, teamA), policies), 'denied');
  t.equal(ingress(pod('shop/web', { app: 'web' }), policies), 'denied');
});

t.test('rule 7: one of two peers is enough', async (t) => {
  const policies = from({ namespaceSelector: { matchLabels: { team: 'a' } } }, { podSelector: app('web') });
  t.equal(ingress(pod('other/cron', {}, { namespaceLabels: { team: 'a' } }), policies), 'allowed');
  t.equal(ingress(pod('shop/web', { app: 'web' }), policies), 'allowed');
  t.equal(ingress(pod('other/web', { app: 'web' }), policies), 'denied');
});

t.test('rule 8: pod peers never match an address, a node or a host-network pod', async (t) => {
  const policies = from({ podSelector: {} }, { namespaceSelector: {} });
  t.equal(ingress(outside('10.0.0.1'), policies), 'denied');
  t.equal(ingress(nodeAddress('192.0.2.1', 'n1'), policies), 'denied');
  t.equal(ingress(pod('shop/web'), policies), 'allowed');
});

t.test('rule 9: ipBlock matches by address, minus except', async (t) => {
  const policies = from({ ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.128/25', '203.0.113.8/32'] } });
  t.equal(ingress(outside('203.0.113.7'), policies), 'allowed');
  t.equal(ingress(outside('203.0.113.8'), policies), 'denied');
  t.equal(ingress(outside('203.0.113.200'), policies), 'denied');
  t.equal(ingress(outside('203.0.114.7'), policies), 'denied');
});

t.test('rule 9: an address in the except of one block may match another block', async (t) => {
  const policies = from(
    { ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.8/32'] } },
    { ipBlock: { cidr: '203.0.113.8/31' } },
  );
  t.equal(ingress(outside('203.0.113.8'), policies), 'allowed');
});

t.test('rule 9: a block of one family does not match an address of the other', async (t) => {
  t.equal(ingress(outside('2001:db8::1'), from({ ipBlock: { cidr: '0.0.0.0/0' } })), 'denied');
  t.equal(ingress(outside('203.0.113.7'), from({ ipBlock: { cidr: '::/0' } })), 'denied');
  t.equal(ingress(outside('2001:db8::1'), from({ ipBlock: { cidr: '2001:db8::/32' } })), 'allowed');
});

t.test('rule 9: ipBlock matches pods by default, and never with ipBlockMatchesPods=false', async (t) => {
  const policies = from({ ipBlock: { cidr: '10.0.0.0/8' } });
  const web = pod('shop/web', {}, { ips: ['10.0.0.1'] });
  t.equal(ingress(web, policies), 'allowed');
  t.equal(ingress(web, policies, { ipBlockMatchesPods: false }), 'denied');
  t.equal(ingress(outside('10.9.9.9'), policies, { ipBlockMatchesPods: false }), 'allowed');
});

t.test('rule 9: any address of a pod may match if the other end has its family', async (t) => {
  const dual = pod('shop/web', {}, { ips: ['10.0.0.1', '2001:db8::1'] });
  t.equal(ingress(dual, from({ ipBlock: { cidr: '10.0.0.0/8' } })), 'allowed');
  t.equal(ingress(dual, from({ ipBlock: { cidr: '2001:db8::/32' } })), 'denied', 'db has no IPv6 address');
});

t.test('rule 9: an ipBlock makes a pod without an address unknown', async (t) => {
  const web = template('shop/web', { app: 'web' });
  const side = sideOf(verdictOf(web, db, 80, from({ ipBlock: { cidr: '10.0.0.0/8' } })), 'ingress');
  t.match(side, { verdict: 'unknown', why: { reason: 'address-not-known', policies: [{ name: 'db' }] } });
  t.equal(ingress(web, from({ ipBlock: { cidr: '10.0.0.0/8' } }), { ipBlockMatchesPods: false }), 'denied');
  t.equal(ingress(web, from({ ipBlock: { cidr: '10.0.0.0/8' } }, { podSelector: app('web') })), 'allowed');
  t.equal(ingress(web, from({ ipBlock: { cidr: '0.0.0.0/0' } })), 'allowed', 'matches any address');
  t.equal(ingress(web, from({ ipBlock: { cidr: '::/0' } })), 'denied', 'db has no IPv6 address');
  t.equal(ingress(web, from({ ipBlock: { cidr: '0.0.0.0/0', except: ['10.1.0.0/16'] } })), 'unknown');
});

t.test('rule 9: the reason names each policy once', async (t) => {
  const block = { ipBlock: { cidr: '10.0.0.0/8' } };
  const policies = [policy('shop/db', { podSelector: {}, ingress: [{ from: [block] }, { from: [block] }] })];
  const side = sideOf(verdictOf(template('shop/web'), db, 80, policies), 'ingress');
  t.same(side.verdict === 'unknown' && side.why, {
    reason: 'address-not-known',
    policies: [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'db' }],
  });
});

t.test('rule 12: a pod may always reach itself', async (t) => {
  const closed = [policy('shop/all', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })];
  const verdict = verdictOf(db, { ...db }, 80, closed);
  t.equal(verdict.verdict, 'allowed');
  for (const side of verdict.sides) t.match(side, { decidedBy: { tier: 'always', reason: 'itself' } });
  t.equal(verdictOf(db, pod('other/db', { app: 'db' }), 80, closed).verdict, 'denied', 'another pod of that name');
});

t.test('rule 12: two pods of a workload are not the same pod', async (t) => {
  const closed = [policy('shop/all', { podSelector: {} })];
  const replica = template('shop/Deployment/db', { app: 'db' }, { node: 'n1' });
  t.equal(verdictOf(replica, replica, 80, closed).verdict, 'denied');
});

t.test('rule 12: a node and its own pods may always reach each other; another node is only an address', async (t) => {
  const closed = [policy('shop/all', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })];
  const own = nodeAddress('192.0.2.9', 'n9');
  const other = nodeAddress('192.0.2.1', 'n1');
  for (const verdict of [verdictOf(own, db, 80, closed), verdictOf(db, own, 80, closed)]) {
    t.equal(verdict.verdict, 'allowed');
    t.match(verdict.sides, [{ decidedBy: { tier: 'always', reason: 'own-node' } }]);
  }
  t.equal(verdictOf(other, db, 80, closed).verdict, 'denied');
  t.equal(verdictOf(db, other, 80, closed).verdict, 'denied');
  const open = from({ ipBlock: { cidr: '192.0.2.1/32' } });
  t.equal(verdictOf(other, db, 80, open).verdict, 'allowed');
});

t.test('rule 12: a pod whose node is not known may run on the initiating node', async (t) => {
  const closed = [policy('shop/all', { podSelector: {} })];
  const side = sideOf(verdictOf(nodeAddress('192.0.2.1', 'n1'), template('shop/db'), 80, closed), 'ingress');
  t.match(side, { verdict: 'unknown', why: { reason: 'node-not-known', party: 'shop/db' } });
  t.equal(verdictOf(nodeAddress('192.0.2.1', 'n1'), template('shop/db'), 80, []).verdict, 'undeclared');
  t.equal(verdictOf(outside('203.0.113.7'), template('shop/db'), 80, closed).verdict, 'denied');
});

t.test('rule 13: a host-network pod is its node’s address, even if that address is not known', async (t) => {
  const exporter = someNode('ops/exporter');
  t.match(sideOf(verdictOf(exporter, db, 80, from({ podSelector: {} })), 'ingress'), {
    verdict: 'unknown',
    why: { reason: 'node-not-known', party: 'ops/exporter' },
  });
  t.equal(ingress(exporter, from({ ipBlock: { cidr: '192.0.2.0/24' } })), 'unknown');
  t.equal(ingress(exporter, from({ ipBlock: { cidr: '0.0.0.0/0' } })), 'allowed');
  t.equal(ingress(exporter, from()), 'allowed', 'a rule without peers');
  t.equal(verdictOf(exporter, db, 80, []).verdict, 'undeclared');
  t.equal(verdictOf(exporter, exporter, 80, from()).sides.length, 0);
});
