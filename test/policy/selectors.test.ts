import t from 'tap';
import type { LabelSelector, Requirement } from '../../model/kubernetes.ts';
import { selects } from '../../policy/selectors.ts';

function one(key: string, operator: Requirement['operator'], ...values: string[]): LabelSelector {
  return [{ key, operator, values }];
}

t.test('rule 16: every requirement must match', async (t) => {
  const both = [...one('app', 'In', 'web'), ...one('tier', 'In', 'a', 'b')];
  t.equal(selects(both, { app: 'web', tier: 'b' }), true);
  t.equal(selects(both, { app: 'web', tier: 'c' }), false);
  t.equal(selects(both, { app: 'web' }), false);
  t.equal(selects([], {}), true);
});

t.test('rule 16: NotIn and DoesNotExist match if the key is missing, In and Exists do not', async (t) => {
  t.equal(selects(one('tier', 'NotIn', 'a'), {}), true);
  t.equal(selects(one('tier', 'NotIn', 'a'), { tier: 'b' }), true);
  t.equal(selects(one('tier', 'NotIn', 'a'), { tier: 'a' }), false);
  t.equal(selects(one('tier', 'DoesNotExist'), {}), true);
  t.equal(selects(one('tier', 'DoesNotExist'), { tier: '' }), false);
  t.equal(selects(one('tier', 'In', ''), {}), false);
  t.equal(selects(one('tier', 'In', ''), { tier: '' }), true);
  t.equal(selects(one('tier', 'Exists'), {}), false);
  t.equal(selects(one('tier', 'Exists'), { tier: '' }), true);
});

t.test('a property that every JavaScript object has is not a label', async (t) => {
  for (const key of ['constructor', '__proto__', 'toString']) {
    t.equal(selects(one(key, 'Exists'), {}), false, key);
    t.equal(selects(one(key, 'DoesNotExist'), {}), true, key);
  }
});
