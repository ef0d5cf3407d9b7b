import t from 'tap';
import { app, outside, pod, policy, sideOf, verdictOf } from '../scene/cluster.ts';

const web = pod('shop/web', { app: 'web' });
const db = pod('shop/db', { app: 'db' });
const internet = outside('203.0.113.9');
const denyAll = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] };

t.test('rule 1: a policy isolates pods of its own namespace only', async (t) => {
  t.equal(verdictOf(web, db, 80, [policy('shop/all', denyAll)]).verdict, 'denied');
  t.equal(verdictOf(web, db, 80, [policy('other/all', denyAll)]).verdict, 'undeclared');
});

t.test('rule 1: a policy isolates only the pods that it selects', async (t) => {
  const policies = [policy('shop/db', { podSelector: app('db'), policyTypes: ['Ingress', 'Egress'] })];
  t.equal(verdictOf(web, db, 80, policies).verdict, 'denied');
  t.equal(verdictOf(web, internet, 80, policies).verdict, 'undeclared');
});

t.test('rule 1: a policy isolates the directions in its policyTypes', async (t) => {
  const ingressOnly = [policy('shop/db', { podSelector: {}, policyTypes: ['Ingress'] })];
  t.same(
    verdictOf(web, db, 80, ingressOnly).sides.map((side) => side.verdict),
    ['undeclared', 'denied'],
  );
  const egressOnly = [policy('shop/db', { podSelector: {}, policyTypes: ['Egress'] })];
  t.same(
    verdictOf(web, db, 80, egressOnly).sides.map((side) => side.verdict),
    ['denied', 'undeclared'],
  );
});

t.test('rule 1: rules of a direction that is not in policyTypes have no effect', async (t) => {
  const spec = { podSelector: app('db'), policyTypes: ['Egress'], ingress: [{ from: [{ podSelector: app('web') }] }] };
  t.equal(sideOf(verdictOf(web, db, 80, [policy('shop/db', spec)]), 'ingress').verdict, 'undeclared');
});

t.test('rule 2: without policyTypes a policy isolates ingress', async (t) => {
  const policies = [policy('shop/db', { podSelector: {} })];
  t.equal(sideOf(verdictOf(web, db, 80, policies), 'ingress').verdict, 'denied');
  t.equal(sideOf(verdictOf(web, db, 80, policies), 'egress').verdict, 'undeclared');
});

t.test('rule 2: without policyTypes a policy isolates egress only if it has an egress rule', async (t) => {
  const none = policy('shop/web', { podSelector: app('web'), egress: [] });
  t.equal(sideOf(verdictOf(web, db, 80, [none]), 'egress').verdict, 'undeclared');
  const one = policy('shop/web', { podSelector: app('web'), egress: [{ ports: [{ port: 443 }] }] });
  t.equal(sideOf(verdictOf(web, db, 80, [one]), 'egress').verdict, 'denied');
});

t.test('rule 3: policies add up in any order', async (t) => {
  const deny = policy('shop/deny', { podSelector: {} });
  const allow = policy('shop/allow', { podSelector: app('db'), ingress: [{ from: [{ podSelector: app('web') }] }] });
  for (const policies of [
    [deny, allow],
    [allow, deny],
  ]) {
    t.match(sideOf(verdictOf(web, db, 80, policies), 'ingress'), {
      verdict: 'allowed',
      decidedBy: { tier: 'NetworkPolicy', policy: { namespace: 'shop', name: 'allow' }, rule: 0 },
    });
  }
});

t.test('rule 3: a side that no policy isolates is undeclared', async (t) => {
  t.same(verdictOf(web, db, 80, []), {
    verdict: 'undeclared',
    sides: [
      { side: 'egress', verdict: 'undeclared' },
      { side: 'ingress', verdict: 'undeclared' },
    ],
  });
});

t.test('rule 4: both sides must allow it, and each has its own verdict', async (t) => {
  const ingress = policy('shop/db', { podSelector: app('db'), ingress: [{}] });
  const egress = policy('shop/web', { podSelector: app('web'), policyTypes: ['Egress'] });
  const verdict = verdictOf(web, db, 80, [ingress, egress]);
  t.equal(verdict.verdict, 'denied');
  t.same(
    verdict.sides.map((side) => [side.side, side.verdict]),
    [
      ['egress', 'denied'],
      ['ingress', 'allowed'],
    ],
  );
});

t.test('rule 4: a reply needs no rule', async (t) => {
  const policies = [policy('shop/db', { podSelector: app('db'), policyTypes: ['Ingress', 'Egress'], ingress: [{}] })];
  t.equal(verdictOf(web, db, 80, policies).verdict, 'allowed');
  t.equal(verdictOf(db, web, 80, policies).verdict, 'denied', 'db may not begin a connection');
});

t.test('rule 4: an end outside the cluster has no side', async (t) => {
  t.same(
    verdictOf(web, internet, 443, []).sides.map((side) => side.side),
    ['egress'],
  );
  t.same(
    verdictOf(internet, web, 443, []).sides.map((side) => side.side),
    ['ingress'],
  );
  t.same(verdictOf(internet, outside('203.0.113.10'), 443, []), { verdict: 'undeclared', sides: [] });
});

t.test('rule 5: an empty podSelector, or a missing one, selects every pod of the namespace', async (t) => {
  t.equal(verdictOf(web, db, 80, [policy('shop/all', { podSelector: {} })]).verdict, 'denied');
  t.equal(verdictOf(web, db, 80, [policy('shop/all', { policyTypes: ['Ingress'] })]).verdict, 'denied');
});

t.test('rule 6: a rule without peers matches everyone, inside and outside', async (t) => {
  for (const from of [undefined, []]) {
    const policies = [policy('shop/db', { podSelector: app('db'), ingress: [{ from }] })];
    t.equal(verdictOf(web, db, 80, policies).verdict, 'allowed');
    t.equal(verdictOf(internet, db, 80, policies).verdict, 'allowed');
  }
});

t.test('rule 6: a rule without ports matches every port and protocol', async (t) => {
  for (const ports of [undefined, []]) {
    const policies = [policy('shop/db', { podSelector: app('db'), ingress: [{ ports }] })];
    for (const port of [1, 'UDP 65535', 'SCTP 7', 'ICMP']) {
      t.equal(verdictOf(web, db, port, policies).verdict, 'allowed', `${port}`);
    }
  }
});

t.test('rule 6: an empty list of rules allows nothing', async (t) => {
  const policies = [policy('shop/db', { podSelector: app('db'), policyTypes: ['Ingress'], ingress: [] })];
  const side = sideOf(verdictOf(web, db, 80, policies), 'ingress');
  t.match(side, { verdict: 'denied', nearest: [{ rule: -1, mismatch: 'no-rules' }] });
});
