import t from 'tap';
import { app, nodeAddress, outside, pod, policy, sideOf, verdictOf } from '../scene/cluster.ts';

const web = pod('shop/web', { app: 'web' });
const db = pod('shop/db', { app: 'db' }, { node: 'n2' });
const badRule = { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/99' } }] }] };
const brokenDb = policy('shop/broken', { podSelector: app('db'), ...badRule });
const unreadable = policy('shop/unreadable', {
  podSelector: { matchExpressions: [{ key: 'app', operator: 'Near', values: ['db'] }] },
});

t.test('rule 17: a side that a broken policy may isolate is unknown, and the reason names the policy', async (t) => {
  const verdict = verdictOf(web, db, 80, [brokenDb]);
  t.equal(verdict.verdict, 'unknown');
  t.same(sideOf(verdict, 'ingress'), {
    side: 'ingress',
    verdict: 'unknown',
    why: { reason: 'broken-policy', policies: [{ kind: 'NetworkPolicy', namespace: 'shop', name: 'broken' }] },
  });
});

t.test('rule 17: a side that other policies deny is unknown too, because the broken policy may allow it', async (t) => {
  const deny = policy('shop/deny', { podSelector: {} });
  t.equal(sideOf(verdictOf(web, db, 80, [deny, brokenDb]), 'ingress').verdict, 'unknown');
});

t.test('rule 17: a broken policy does not change what another policy allows', async (t) => {
  const allow = policy('shop/allow', { podSelector: app('db'), ingress: [{ from: [{ podSelector: app('web') }] }] });
  t.equal(sideOf(verdictOf(web, db, 80, [brokenDb, allow]), 'ingress').verdict, 'allowed');
  t.equal(sideOf(verdictOf(pod('shop/cron'), db, 80, [brokenDb, allow]), 'ingress').verdict, 'unknown');
});

t.test('rule 17: a broken policy has no effect on pods, directions and namespaces that it cannot select', async (t) => {
  t.equal(sideOf(verdictOf(db, web, 80, [brokenDb]), 'ingress').verdict, 'undeclared', 'another pod');
  t.equal(sideOf(verdictOf(db, web, 80, [brokenDb]), 'egress').verdict, 'undeclared', 'the other direction');
  const inOtherNamespace = policy('other/broken', { podSelector: {}, ...badRule });
  t.equal(verdictOf(web, db, 80, [inOtherNamespace]).verdict, 'undeclared');
});

t.test('rule 17: a policy with an invalid podSelector may select every pod of its namespace', async (t) => {
  t.equal(sideOf(verdictOf(db, web, 80, [unreadable]), 'ingress').verdict, 'unknown');
  t.equal(sideOf(verdictOf(web, pod('other/db', { app: 'db' }), 80, [unreadable]), 'ingress').verdict, 'undeclared');
});

t.test('rule 17: a policy with invalid policyTypes may isolate both directions', async (t) => {
  const sideways = policy('shop/sideways', { podSelector: app('db'), policyTypes: ['Sideways'] });
  t.equal(sideOf(verdictOf(db, outside('203.0.113.7'), 443, [sideways]), 'egress').verdict, 'unknown');
  t.equal(sideOf(verdictOf(web, db, 80, [sideways]), 'ingress').verdict, 'unknown');
});

t.test('rule 17: a broken policy does not change connections that are always allowed', async (t) => {
  t.equal(verdictOf(db, db, 80, [brokenDb]).verdict, 'allowed');
  t.equal(verdictOf(nodeAddress('192.0.2.2', 'n2'), db, 80, [brokenDb]).verdict, 'allowed');
});

t.test('denied on one side outweighs unknown on the other side', async (t) => {
  const closed = policy('shop/web', { podSelector: app('web'), policyTypes: ['Egress'] });
  const verdict = verdictOf(web, db, 80, [closed, brokenDb]);
  t.equal(verdict.verdict, 'denied');
  t.equal(sideOf(verdict, 'ingress').verdict, 'unknown', 'the other side is still unknown');
});

t.test('unknown outweighs allowed', async (t) => {
  const open = policy('shop/web', { podSelector: app('web'), egress: [{}], policyTypes: ['Egress'] });
  t.equal(verdictOf(web, db, 80, [open, brokenDb]).verdict, 'unknown');
});
