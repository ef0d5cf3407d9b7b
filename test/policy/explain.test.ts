import t from 'tap';
import type { Policy } from '../../model/kubernetes.ts';
import type { UnknownReason } from '../../model/verdict.ts';
import { reasonText, verdictJson } from '../../policy/explain.ts';
import { app, clusterPolicy, nodeAddress, pod, policy, verdictOf } from '../scene/cluster.ts';
import { ip } from '../scene/records.ts';

const web = pod('shop/web', { app: 'web' });
const db = pod('shop/db', { app: 'db' }, { ports: { sql: 5432 }, node: 'n2' });

t.test('every verdict says why: a side that no policy isolates', async (t) => {
  const why = 'not isolated: no policy selects it';
  t.same(verdictJson(verdictOf(web, db, 80, [])), {
    verdict: 'undeclared',
    sides: [
      { side: 'egress', verdict: 'undeclared', why },
      { side: 'ingress', verdict: 'undeclared', why },
    ],
  });
});

t.test('every verdict says why: tier, policy and rule that decided', async (t) => {
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
  'every verdict says why: the policies that isolate a denied side, and what would have had to match',
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
      'isolated, and no rule matches: NetworkPolicy shop/all spec.ingress[0] fits but for the port: ' +
        'it needs the TCP port that the responder names sql; NetworkPolicy shop/db spec.ingress[0] needs the initiator to be ' +
        'a pod with app=cron in namespace shop or any pod in a namespace with team=a or ' +
        'a pod with no old and app not in (web, x) in any namespace or an address in 192.0.2.0/24 except 192.0.2.8/32; ' +
        'NetworkPolicy shop/none has no ingress rule, so it allows nothing',
    );
  },
);

t.test(
  'every verdict says why: which rules pass it on, and which policies were asked where none decides',
  async (t) => {
    const why = (...policies: Policy[]) => verdictJson(verdictOf(web, db, 80, policies)).sides.map((side) => side.why);
    const everybody = [{ namespaces: {} }];
    const tier = clusterPolicy('cnp/tier', {
      ingress: [{ action: 'Pass', from: everybody }],
      egress: [{ action: 'Deny', to: [{ networks: ['169.254.0.0/16'] }] }],
    });
    const deny = clusterPolicy('cnp/after', { priority: 200, ingress: [{ action: 'Deny', from: everybody }] });
    t.same(why(tier, deny), [
      'not isolated: none of the egress rules of ClusterNetworkPolicy tier matches',
      'no rule decides: ClusterNetworkPolicy tier spec.ingress[0] passes, and no NetworkPolicy or Baseline rule speaks of it',
    ]);
    const teamA = { namespaces: { matchLabels: { team: 'a' } } };
    const ofTeam = clusterPolicy('cnp/team', { subject: teamA, ingress: [{ action: 'Pass', from: everybody }] });
    const mayBeA = { ...db, namespaceLabelsKnown: false as const };
    t.equal(
      verdictJson(verdictOf(web, mayBeA, 80, [ofTeam])).sides[1]?.why,
      'no rule decides: ClusterNetworkPolicy team spec.ingress[0] may pass, and no NetworkPolicy or Baseline rule speaks of it',
    );
    t.equal(why(ofTeam)[1], 'not isolated: no policy selects it');
  },
);

t.test('every verdict says why: what makes it unknown', async (t) => {
  const broken = [policy('shop/db', { podSelector: app('db'), ingress: [{ ports: [{ endPort: 1 }] }] })];
  const reason = 'a broken policy could change it: NetworkPolicy shop/db';
  const json = verdictJson(verdictOf(web, db, 80, broken));
  t.equal(json.reason, reason);
  t.same(json.sides[1], { side: 'ingress', verdict: 'unknown', why: reason });
});

t.test('a reason of no one side is the reason of the whole', async (t) => {
  const why: UnknownReason = { reason: 'backend-not-known', service: 'shop/db' };
  t.same(verdictJson({ verdict: 'unknown', sides: [], why }), {
    verdict: 'unknown',
    reason: reasonText(why),
    sides: [],
  });
});

t.test('a reason names no address, so that connections can be counted by it', async (t) => {
  const address = ip('203.0.113.7');
  for (const reason of ['no-owner-at-that-time', 'local-scope'] as const) {
    t.notMatch(reasonText({ reason, address }), /203/);
  }
});

t.test('a verdict that the API does not define says so', async (t) => {
  t.equal(verdictJson(verdictOf(web, db, 'ICMP', [])).undefinedByApi, true);
});

t.test('explanations are bounded, however many policies and peers there are', async (t) => {
  const many = Array.from({ length: 300 }, (_, index) => ({ podSelector: app(`a${index}`) }));
  const policies = Array.from({ length: 200 }, (_, index) =>
    policy(`shop/p${index}`, { podSelector: {}, ingress: [{ from: many, ports: [{ port: 1 }] }] }),
  );
  const why = verdictJson(verdictOf(web, db, 80, policies)).sides[1]?.why ?? '';
  t.match(why, /or 296 more; .*; 195 more$/);
  t.ok(why.length < 2000, `${why.length} characters`);
});
