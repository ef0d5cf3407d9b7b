import t from 'tap';
import type { PolicyRef } from '../../model/verdict.ts';
import { reasonKey } from '../../policy/reason-key.ts';

const [db, web]: PolicyRef[] = [
  { kind: 'CiliumNetworkPolicy.cilium.io', namespace: 'shop', name: 'db' },
  { kind: 'NetworkPolicy', namespace: 'shop', name: 'web' },
];

t.test('the key of a reason has its policies, in one order', async (t) => {
  const key = 'not-evaluated CiliumNetworkPolicy.cilium.io shop/db NetworkPolicy shop/web';
  t.equal(reasonKey({ reason: 'not-evaluated', policies: [db!, web!] }), key);
  t.equal(reasonKey({ reason: 'not-evaluated', policies: [web!, db!, web!] }), key);
  t.not(reasonKey({ reason: 'broken-policy', policies: [db!, web!] }), key);
  t.not(reasonKey({ reason: 'not-evaluated', policies: [db!] }), key);
});

t.test('the key of a reason has neither times nor addresses', async (t) => {
  const stale = (untilUs: number) =>
    reasonKey({ reason: 'cluster-stale', kinds: [{ kind: 'Pod', sinceUs: 1, untilUs }] });
  t.equal(stale(2), 'cluster-stale');
  t.equal(stale(3), stale(2));
  t.equal(reasonKey({ reason: 'source-translated' }), 'source-translated');
});
