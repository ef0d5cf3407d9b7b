import t from 'tap';
import { compilePolicies, selectionOf } from '../../policy/policy-set.ts';
import { app, pod, policy } from '../scene/cluster.ts';

const web = pod('shop/web', { app: 'web' });
const webPolicy = policy('shop/web', { podSelector: app('web') });
const dbPolicy = policy('shop/db', { podSelector: app('db') });

t.test('the same list of policies gives the same set', async (t) => {
  const policies = [webPolicy, dbPolicy];
  t.equal(compilePolicies(policies), compilePolicies(policies));
  t.not(compilePolicies(policies), compilePolicies([...policies]));
});

t.test('a change makes a new set and leaves the old one unchanged', async (t) => {
  const before = compilePolicies([webPolicy]);
  t.equal(selectionOf(before, web, 'ingress').isolating.length, 1);
  const after = compilePolicies([dbPolicy]);
  t.equal(selectionOf(after, web, 'ingress').isolating.length, 0);
  t.equal(selectionOf(before, web, 'ingress').isolating.length, 1);
});

t.test('the compiled form of a policy is reused in the next set', async (t) => {
  const before = selectionOf(compilePolicies([webPolicy, dbPolicy]), web, 'ingress').isolating[0];
  const after = selectionOf(compilePolicies([webPolicy]), web, 'ingress').isolating[0];
  t.equal(before, after);
});

t.test('a pod is selected by its own labels and namespace, not by a cached selection', async (t) => {
  const set = compilePolicies([webPolicy, dbPolicy]);
  t.same(
    selectionOf(set, web, 'ingress').isolating.map((one) => one.policy.name),
    ['web'],
  );
  t.same(
    selectionOf(set, { ...web, labels: { app: 'db' } }, 'ingress').isolating.map((one) => one.policy.name),
    ['db'],
  );
  t.same(selectionOf(set, { ...web, namespace: 'other' }, 'ingress').isolating, []);
  t.same(selectionOf(set, web, 'egress').isolating, []);
});
