import t from 'tap';
import { CachedJudge } from '../../policy/cached-judge.ts';
import { defaultPolicyOptions } from '../../policy/options.ts';
import { compilePolicies, selectionOf, withoutPolicy, withPolicy } from '../../policy/policy-set.ts';
import { app, clusterPolicy, flow, outside, pod, policy } from '../scene/cluster.ts';

const web = pod('shop/web', { app: 'web' });
const db = pod('shop/db', { app: 'db' }, { ips: ['10.0.0.2'] });
const cron = pod('jobs/cron', { app: 'cron' });
const onlyWeb = policy('shop/db', { podSelector: app('db'), ingress: [{ from: [{ podSelector: app('web') }] }] });
const deny = clusterPolicy('cnp/deny', { ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] });
const judgeOf = (slots = 64) => new CachedJudge(defaultPolicyOptions, slots);

t.test('the same flow gets the same verdict object from the cache', async (t) => {
  const [judge, set] = [judgeOf(), compilePolicies([onlyWeb])];
  const first = judge.judge(flow(web, db, 80), set);
  t.equal(judge.judge(flow(web, db, 80), set), first);
  t.not(judge.judge(flow(web, db, 81), set), first);
  t.not(judge.judge(flow(web, db, 'UDP 80'), set), first);
  t.equal(judge.judge(flow(cron, db, 80), set).verdict, 'denied');
  t.equal(judge.judge(flow(outside('203.0.113.1'), db, 80), set).verdict, 'denied');
});

t.test('a change invalidates only the verdicts that it affects', async (t) => {
  const [judge, set] = [judgeOf(), compilePolicies([onlyWeb])];
  const before = judge.judge(flow(web, db, 80), set);
  const withOtherNamespace = withPolicy(set, policy('jobs/all', { podSelector: {} }));
  t.equal(judge.judge(flow(web, db, 80), withOtherNamespace), before, 'a policy of another namespace');
  const other = withPolicy(withOtherNamespace, policy('shop/cache', { podSelector: app('cache') }));
  t.equal(judge.judge(flow(web, db, 80), other), before, 'a policy of other pods of the namespace');
  const denied = withPolicy(other, deny);
  t.equal(judge.judge(flow(web, db, 80), denied).verdict, 'denied');
  t.equal(judge.judge(flow(web, db, 80), withoutPolicy(denied, deny)).verdict, 'allowed');
  t.equal(judge.judge(flow(web, db, 80), set).verdict, 'allowed', 'the old set is unchanged');
  t.equal(judge.judge(flow({ ...web, labels: { app: 'new' } }, db, 80), set).verdict, 'denied', 'another label');
});

t.test('a changed policy replaces the policy of the same name, and a removed policy has no effect', async (t) => {
  const closed = policy('shop/db', { podSelector: app('db') });
  const set = withPolicy(compilePolicies([onlyWeb]), closed);
  t.same(
    selectionOf(set, db, 'ingress').isolating.map(({ rules }) => rules.length),
    [0],
  );
  t.equal(selectionOf(withoutPolicy(set, closed), db, 'ingress').isolating.length, 0);
});

t.test('pods that the same policies select share one selection', async (t) => {
  const set = compilePolicies([onlyWeb, deny]);
  const another = pod('shop/db-2', { app: 'db', version: '2' });
  t.equal(selectionOf(set, db, 'ingress'), selectionOf(set, another, 'ingress'));
  t.equal(selectionOf(set, db, 'ingress'), selectionOf(compilePolicies([deny, onlyWeb]), db, 'ingress'));
  t.not(selectionOf(set, db, 'ingress'), selectionOf(set, web, 'ingress'));
});

t.test('a cache that is too small still gives correct verdicts', async (t) => {
  const [judge, set] = [judgeOf(4), compilePolicies([onlyWeb])];
  for (let round = 0; round < 3; round++) {
    for (let port = 1; port <= 50; port++) {
      t.equal(judge.judge(flow(web, db, port), set).verdict, 'allowed');
      t.equal(judge.judge(flow(cron, db, port), set).verdict, 'denied');
    }
  }
});
