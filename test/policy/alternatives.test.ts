import t from 'tap';
import type { Policy } from '../../model/kubernetes.ts';
import type { Party, UnknownReason } from '../../model/verdict.ts';
import { combineAlternatives, combineMaybeTranslated } from '../../policy/alternatives.ts';
import { verdictJson } from '../../policy/explain.ts';
import { defaultPolicyOptions } from '../../policy/options.ts';
import { app, outside, type PodParty, pod, policy, verdictOf } from '../scene/cluster.ts';
import { ip } from '../scene/records.ts';

const [blue, green, open] = ['blue', 'green', 'open'].map((name) => pod(`shop/${name}`, { app: name })) as [
  PodParty,
  PodParty,
  PodParty,
];
const web = pod('shop/web', { app: 'web' });
const closed = (name: string, more: object = {}) => policy(`shop/${name}`, { podSelector: app(name), ...more });
const why: UnknownReason = { reason: 'backend-not-known', service: 'shop/web' };

function asked(from: readonly Party[], to: readonly Party[], policies: readonly Policy[], all = true) {
  const alternatives = from.flatMap((initiator) =>
    to.map((responder) => ({ initiator, responder, verdict: verdictOf(initiator, responder, 80, policies) })),
  );
  return verdictJson(combineAlternatives(alternatives, all, why, defaultPolicyOptions));
}

t.test(
  'if all candidates are denied, the side names every isolating policy and the rule that each one needs',
  async (t) => {
    t.same(asked([outside('203.0.113.7')], [blue, green], [closed('blue'), closed('green')]), {
      verdict: 'denied',
      sides: [
        {
          side: 'ingress',
          verdict: 'denied',
          why:
            'shop/blue (denied): isolated, and no rule matches: NetworkPolicy shop/blue has no ingress rule, so it allows nothing; ' +
            'shop/green (denied): isolated, and no rule matches: NetworkPolicy shop/green has no ingress rule, so it allows nothing',
          isolatedBy: ['NetworkPolicy shop/blue', 'NetworkPolicy shop/green'],
          needs:
            'needs a rule in NetworkPolicy shop/blue that allows ingress from 203.0.113.7/32 on TCP 80 ' +
            'and a rule in NetworkPolicy shop/green that allows ingress from 203.0.113.7/32 on TCP 80',
        },
      ],
    });
  },
);

t.test('the explanation of many denied pods lists five and counts the others', async (t) => {
  const many = Array.from({ length: 40 }, (_, at) => pod(`shop/p${at}`, { app: `p${at}` }));
  const [side] = asked(
    [outside('203.0.113.7')],
    many,
    many.map(({ name }) => closed(name)),
  ).sides;
  t.equal(side?.isolatedBy?.length, 40);
  t.match(side?.needs, / and 35 more$/);
  t.match(side?.why, /; 35 more$/);
});

t.test('several pods that are denied for the same reason have the explanation of one pod', async (t) => {
  const all = policy('shop/all', { podSelector: {} });
  const one = verdictJson(verdictOf(web, blue, 80, [all]));
  t.same(asked([web], [blue], [all]), one);
  t.same(asked([web], [blue, green], [all]), one);
});

t.test(
  'candidates with different verdicts give unknown, and each side lists the verdict of each candidate',
  async (t) => {
    const { verdict, reason, sides } = asked([web], [blue, open], [closed('blue')]);
    t.equal(verdict, 'unknown');
    t.match(reason, /^it is not known which endpoint/);
    t.same(sides, [
      { side: 'egress', verdict: 'undeclared', why: 'not isolated: no policy selects it' },
      {
        side: 'ingress',
        verdict: 'unknown',
        why:
          'shop/blue (denied): isolated, and no rule matches: NetworkPolicy shop/blue has no ingress rule, so it allows nothing; ' +
          'shop/open (undeclared): not isolated: no policy selects it',
      },
    ]);
    t.same(
      asked([open, blue], [web, outside('203.0.113.7')], [closed('web')])
        .sides[1]?.why.split('; ')
        .at(-1),
      'shop/open -> 203.0.113.7, shop/blue -> 203.0.113.7 (undeclared): not a pod, so no policy selects it',
      'an end that is not a pod',
    );
  },
);

t.test('if not all candidates are known, the verdict is unknown', async (t) => {
  const { verdict, sides } = asked([web], [open], [], false);
  t.equal(verdict, 'unknown');
  t.equal(
    sides[1]?.why,
    'shop/open (undeclared): not isolated: no policy selects it; the other candidates are not known',
  );
  t.equal(asked([web], [], []).verdict, 'unknown');
});

t.test('candidates that are denied on different sides give denied, and both sides are denied', async (t) => {
  const noEgress = closed('blue', { policyTypes: ['Egress'] });
  const { verdict, sides } = asked(
    [blue, green],
    [web],
    [
      noEgress,
      closed('web', {
        ingress: [{ from: [{ podSelector: app('blue') }] }],
      }),
    ],
  );
  t.equal(verdict, 'denied');
  t.same(
    sides.map((side) => side.verdict),
    ['denied', 'denied'],
  );
  t.same(sides[1]?.isolatedBy, ['NetworkPolicy shop/web']);
});

t.test(
  'if the source may be translated, a denial names the rules for both addresses, and different verdicts give unknown',
  async (t) => {
    const node: Party = { kind: 'address', address: ip('192.0.2.1'), node: 'n9' };
    const asked = (to: PodParty, ...policies: Policy[]) => {
      const alternative = (initiator: Party) => ({
        initiator,
        responder: to,
        verdict: verdictOf(initiator, to, 80, policies),
      });
      return verdictJson(combineMaybeTranslated(alternative(web), alternative(node), defaultPolicyOptions));
    };
    const fromWeb = policy('shop/open', {
      podSelector: app('open'),
      ingress: [{ from: [{ podSelector: app('web') }] }],
    });
    t.equal(asked(open).verdict, 'undeclared');
    t.match(asked(open, closed('open')), {
      verdict: 'denied',
      sides: [
        { verdict: 'undeclared', why: 'not isolated: no policy selects it' },
        {
          needs:
            /from pods with app=web .* and a rule in NetworkPolicy shop\/open that allows ingress from 192.0.2.1\/32/,
        },
      ],
    });
    t.match(asked(open, fromWeb), {
      verdict: 'unknown',
      reason: /translated/,
      sides: [{}, { why: /^shop\/web \(allowed\): .*; 192.0.2.1 \(denied\): / }],
    });
  },
);
