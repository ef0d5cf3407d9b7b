import t from 'tap';
import type { Policy } from '../../model/kubernetes.ts';
import type { UnknownReason } from '../../model/verdict.ts';
import { reasonText, verdictJson } from '../../policy/explain.ts';
import { app, clusterPolicy, nodeAddress, pod, policy, verdictOf } from '../scene/cluster.ts';
import { ip } from '../scene/records.ts';

const web = pod('shop/web', { app: 'web' });
const db = pod('shop/db', { app: 'db' }, { ports: { sql: 5432 }, node: 'n2' });

t.test('the explanation of a side that no policy isolates', async (t) => {
  const why = 'not isolated: no policy selects it';
  t.same(verdictJson(verdictOf(web, db, 80, [])), {
    verdict: 'undeclared',
    sides: [
      { side: 'egress', verdict: 'undeclared', why },
      { side: 'ingress', verdict: 'undeclared', why },
    ],
  });
});

t.test('the explanation of an allowed side names the tier, the policy and the rule', async (t) => {
  const policies = [policy('shop/db', { podSelector: {}, ingress: [{ ports: [{ port: 1 }] }, {}] })];
  t.same(verdictJson(verdictOf(web, db, 80, policies)).sides[1], {
    side: 'ingress',
    verdict: 'allowed',
    decidedBy: { tier: 'NetworkPolicy', policy: 'NetworkPolicy shop/db', rule: 1 },
    why: 'allowed by NetworkPolicy shop/db, spec.ingress[1]',
  });
  t.same(verdictJson(verdictOf(nodeAddress('192.0.2.2', 'n2'), db, 80, policies)).sides, [
    {
      side: 'ingress',
      verdict: 'allowed',
      decidedBy: { tier: 'always', reason: 'own-node' },
      why: 'a node and the pods that run on it may always reach each other',
    },
  ]);
});

t.test(
  'the explanation of a denied side names the isolating policies and what their nearest rules require',
  async (t) => {
    const policies = [
      policy('shop/db', {
        podSelector: app('db'),
        ingress: [
          {
            from: [
              { podSelector: app('cron') },
              { namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: {} },
              {
                namespaceSelector: {},
                podSelector: {
                  matchExpressions: [
                    { key: 'old', operator: 'DoesNotExist' },
                    { key: 'app', operator: 'NotIn', values: ['web', 'x'] },
                  ],
                },
              },
              { ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.8/32'] } },
            ],
          },
        ],
      }),
      policy('shop/all', { podSelector: {}, ingress: [{ ports: [{ port: 'sql' }] }] }),
      policy('shop/none', { podSelector: {} }),
    ];
    const { verdict, sides } = verdictJson(verdictOf(web, db, 80, policies));
    t.equal(verdict, 'denied');
    t.same(sides[1]?.isolatedBy, ['NetworkPolicy shop/all', 'NetworkPolicy shop/db', 'NetworkPolicy shop/none']);
    t.equal(
      sides[1]?.why,
      'isolated, and no rule matches: NetworkPolicy shop/all spec.ingress[0] matches except for the port: ' +
        'it requires the TCP port that the responder names sql; NetworkPolicy shop/db spec.ingress[0] requires the initiator to be ' +
        'a pod with app=cron in namespace shop or any pod in a namespace with team=a or ' +
        'a pod with no old and app not in (web, x) in any namespace or an address in 192.0.2.0/24 except 192.0.2.8/32; ' +
        'NetworkPolicy shop/none has no ingress rule, so it allows nothing',
    );
  },
);

t.test(
  'the explanation of an undeclared side names the Pass rules and the policies whose rules do not match',
  async (t) => {
    const why = (...policies: Policy[]) => verdictJson(verdictOf(web, db, 80, policies)).sides.map((side) => side.why);
    const everybody = [{ namespaces: {} }];
    const tier = clusterPolicy('cnp/tier', {
      ingress: [{ action: 'Pass', from: everybody }],
      egress: [{ action: 'Deny', to: [{ networks: ['169.254.0.0/16'] }] }],
    });
    const deny = clusterPolicy('cnp/after', { priority: 200, ingress: [{ action: 'Deny', from: everybody }] });
    t.same(why(tier, deny), [
      'not isolated: no egress rule of ClusterNetworkPolicy tier matches',
      'no rule decides: ClusterNetworkPolicy tier spec.ingress[0] passes it on, and no NetworkPolicy or Baseline rule covers it',
    ]);
    const teamA = { namespaces: { matchLabels: { team: 'a' } } };
    const ofTeam = clusterPolicy('cnp/team', { subject: teamA, ingress: [{ action: 'Pass', from: everybody }] });
    const mayBeA = { ...db, namespaceLabelsKnown: false as const };
    t.equal(
      verdictJson(verdictOf(web, mayBeA, 80, [ofTeam])).sides[1]?.why,
      'no rule decides: ClusterNetworkPolicy team spec.ingress[0] may pass it on, and no NetworkPolicy or Baseline rule covers it',
    );
    t.equal(why(ofTeam)[1], 'not isolated: no policy selects it');
  },
);

t.test('the explanation of an unknown side is the reason of the verdict', async (t) => {
  const broken = [policy('shop/db', { podSelector: app('db'), ingress: [{ ports: [{ endPort: 1 }] }] })];
  const reason = 'an invalid policy could change the verdict: NetworkPolicy shop/db';
  const json = verdictJson(verdictOf(web, db, 80, broken));
  t.equal(json.reason, reason);
  t.same(json.sides[1], { side: 'ingress', verdict: 'unknown', why: reason });
});

t.test('a reason without a side is the reason of the verdict', async (t) => {
  const why: UnknownReason = { reason: 'backend-not-known', service: 'shop/db' };
  t.same(verdictJson({ verdict: 'unknown', sides: [], why }), {
    verdict: 'unknown',
    reason: reasonText(why),
    sides: [],
  });
});

t.test('a reason contains no address, so connections can be counted by it', async (t) => {
  const address = ip('203.0.113.7');
  for (const reason of ['no-owner-at-that-time', 'local-scope'] as const) {
    t.notMatch(reasonText({ reason, address }), /203/);
  }
});

t.test('a verdict for a protocol that the API does not cover has undefinedByApi', async (t) => {
  t.equal(verdictJson(verdictOf(web, db, 'ICMP', [])).undefinedByApi, true);
});

t.test('an explanation is short even with many policies and peers', async (t) => {
  const many = Array.from({ length: 300 }, (_, index) => ({ podSelector: app(`a${index}`) }));
  const policies = Array.from({ length: 200 }, (_, index) =>
    policy(`shop/p${index}`, { podSelector: {}, ingress: [{ from: many, ports: [{ port: 1 }] }] }),
  );
  const why = verdictJson(verdictOf(web, db, 80, policies)).sides[1]?.why ?? '';
  t.match(why, /or 296 more; .*; 195 more$/);
  t.ok(why.length < 2000, `${why.length} characters`);
});
