import t from 'tap';
import { driftOf } from '../../../collector/findings/drift.ts';
import { explain } from '../../../collector/findings/explanation.ts';
import { inertFindings } from '../../../collector/findings/inert.ts';
import { violationOf } from '../../../collector/findings/violation.ts';
import type { Connection, DeliveryUnknownReason } from '../../../model/connection.ts';
import type { EvaluatedConnection } from '../../../model/evaluated.ts';
import type { Observation } from '../../../model/joined.ts';
import type { Pod, Policy } from '../../../model/kubernetes.ts';
import { UDP } from '../../../model/protocol.ts';
import type { Direction, SideVerdict, Verdict } from '../../../model/verdict.ts';
import { connection, podEnd } from '../../scene/connections.ts';
import { ip } from '../../scene/records.ts';

const dbPolicy = { kind: 'NetworkPolicy', namespace: 'shop', name: 'db' } as const;
const notIsolated = (side: Direction): SideVerdict => ({ side, verdict: 'undeclared' });
const web = {
  kind: 'pod',
  namespace: 'shop',
  name: 'web-1',
  labels: { app: 'web' },
  namespaceLabels: {},
  addresses: [],
  node: 'n1',
  ports: [],
} as const;
const deniedSide: SideVerdict = {
  side: 'ingress',
  verdict: 'denied',
  flow: { initiator: web, responder: { ...web, name: 'db-1', labels: { app: 'db' } }, protocol: 6, port: 5432 },
  isolatedBy: [dbPolicy],
  nearest: [{ policy: dbPolicy, rule: 0, mismatch: 'peer', expected: 'a pod with app=api' }],
};
const denied: Verdict = { verdict: 'denied', sides: [notIsolated('egress'), deniedSide] };
const allowed: Verdict = {
  verdict: 'allowed',
  sides: [
    notIsolated('egress'),
    { side: 'ingress', verdict: 'allowed', decidedBy: { tier: 'NetworkPolicy', policy: dbPolicy, rule: 0 } },
  ],
};
const undeclared: Verdict = { verdict: 'undeclared', sides: [notIsolated('egress'), notIsolated('ingress')] };

const deniedLines = [
  'egress: not isolated: no policy selects it',
  'ingress: isolated, and no rule matches: NetworkPolicy shop/db spec.ingress[0] requires the initiator to be a pod with app=api',
];
const allowedLines = [
  'egress: not isolated: no policy selects it',
  'ingress: allowed by NetworkPolicy shop/db, spec.ingress[0]',
];
const unknown = (why: DeliveryUnknownReason) => ({ delivered: 'unknown', why }) as const;
const atSource = { point: 'source', node: 'n1', packets: { forward: 1, reverse: 0 } } as Observation;

function evaluated(
  verdict: Verdict,
  change: Partial<Connection> = {},
  more: Partial<EvaluatedConnection> = {},
): EvaluatedConnection {
  return {
    connection: connection({ verdict: verdict.verdict, ...change }),
    verdict,
    timing: { timing: 'in-force' },
    observations: [atSource],
    masqueradeAddress: undefined,
    ...more,
  };
}

function linesOf(one: EvaluatedConnection): string[] {
  return explain(violationOf(one)!, one).split('\n');
}

t.test('bypass: the claim, a line for each side, what the network did, and whose enforcement to check', async (t) => {
  t.same(linesOf(evaluated(denied)), [
    'shop/web -> shop/db TCP 5432 is denied by policy, and the network delivered it.',
    ...deniedLines,
    'network: the responder answered',
    'to do: find out why the CNI does not enforce NetworkPolicy shop/db',
  ]);
});

t.test('a bypass by a Deny rule names the policy of the rule', async (t) => {
  const guard = { kind: 'ClusterNetworkPolicy', namespace: '', name: 'guard' } as const;
  const { flow } = deniedSide;
  const rule: SideVerdict = {
    side: 'egress',
    verdict: 'denied',
    flow,
    decidedBy: { tier: 'Admin', policy: guard, rule: 0 },
  };
  const lines = linesOf(evaluated({ verdict: 'denied', sides: [rule, deniedSide] }));
  t.equal(
    lines.at(-1),
    'to do: find out why the CNI does not enforce ClusterNetworkPolicy guard and NetworkPolicy shop/db',
  );
});

t.test('blocked, and nothing arrived: what else looks the same, and the rule that would allow it', async (t) => {
  const dropped = { outcome: 'unanswered', delivered: { delivered: 'no' } } as const;
  const rule =
    'a rule in NetworkPolicy shop/db that allows ingress from pods with app=web in namespace shop on TCP 5432';
  t.same(linesOf(evaluated(denied, { ...dropped, synRetries: 3 })), [
    'shop/web -> shop/db TCP 5432 is denied by policy, and the network did not deliver it.',
    ...deniedLines,
    "network: the responder's interface was watched and nothing arrived",
    'network: the SYN was retransmitted 3 times; packets were last seen at the source (node n1)',
    'note: a fault of the network, such as a missing route, looks the same',
    `to do: ask the owner of shop/web why it tries to connect, or add ${rule}`,
  ]);
});

t.test('blocked without a rule that would allow it suggests none', async (t) => {
  const sides: SideVerdict[] = [{ ...deniedSide, insertBefore: 'nowhere' }];
  const lines = linesOf(
    evaluated({ verdict: 'denied', sides }, { outcome: 'refused', delivered: { delivered: 'no' } }),
  );
  t.equal(lines.at(-1), 'to do: ask the owner of shop/web why it tries to connect');
  t.match(lines, [/./, /^ingress/, /^network: refused on the path: the responder's interface was watched/, /^network/]);
});

t.test('blocked with unknown delivery claims no delivery and gives the reason', async (t) => {
  const refused = linesOf(evaluated(denied, { outcome: 'refused', delivered: unknown('not-watched') }));
  t.equal(refused[0], 'shop/web -> shop/db TCP 5432 is denied by policy, and no delivery was seen.');
  t.ok(
    refused.includes(
      "network: refused, but it is unknown by whom: no agent watched the responder's interface for the whole time",
    ),
  );
  const unanswered = linesOf(evaluated(denied, { outcome: 'unanswered', delivered: unknown('losses') }));
  t.ok(unanswered.includes("network: delivery is unknown: the responder's agent lost packets in that time"));
  t.ok(unanswered.includes('note: a fault of the network, or a responder that is down, looks the same'));
});

t.test('delivered without an answer: which packets prove it', async (t) => {
  const seen = linesOf(evaluated(denied, { outcome: 'unanswered', delivered: { delivered: 'yes', by: 'seen' } }));
  t.ok(seen.includes("network: packets were seen at the responder's interface"));
  const answered = linesOf(evaluated(denied, { outcome: 'refused', delivered: { delivered: 'yes', by: 'answer' } }));
  t.ok(answered.includes("network: the refusal came from the responder's own interface"));
});

t.test('undeclared: where the connection went', async (t) => {
  t.same(linesOf(evaluated(undeclared)), [
    'shop/web -> shop/db TCP 5432 crosses from n1 to n2, and no policy covers it.',
    'egress: not isolated: no policy selects it',
    'ingress: not isolated: no policy selects it',
    'network: the responder answered',
    'to do: add a NetworkPolicy that allows it, or one that denies it',
  ]);
  const responder = { kind: 'external', ip: ip('203.0.113.9'), zone: 'internet' } as const;
  t.equal(
    linesOf(evaluated(undeclared, { placement: 'egress', responder }))[0],
    'shop/web -> 203.0.113.9 (internet) TCP 5432 leaves the cluster, and no policy covers it.',
  );
});

t.test('broken: where it was last seen, and what to check from there', async (t) => {
  const lost = { outcome: 'unanswered', delivered: { delivered: 'no' } } as const;
  t.same(linesOf(evaluated(allowed, { ...lost, protocol: UDP })), [
    'shop/web -> shop/db UDP 5432 is allowed by policy, but the network did not deliver it.',
    ...allowedLines,
    "network: the responder's interface was watched and nothing arrived",
    'network: packets were last seen at the source (node n1)',
    'to do: check routes, node health and MTU from where it was last seen, and enforcement outside of the declared policies',
  ]);
  const uncertain = { outcome: 'unanswered', delivered: unknown('half-visible'), synRetries: 1 } as const;
  const lines = linesOf(evaluated(allowed, uncertain));
  t.equal(lines[0], 'shop/web -> shop/db TCP 5432 is allowed by policy, but no answer was seen.');
  t.ok(lines.includes('network: the SYN was retransmitted once; packets were last seen at the source (node n1)'));
});

t.test('grandfathered: the sides are those of the policies now in force', async (t) => {
  t.same(linesOf(evaluated(allowed, {}, { timing: { timing: 'grandfathered', deniedNow: denied } })), [
    'shop/web -> shop/db TCP 5432 is denied by policy now, but it began before that change, and packets still flow.',
    ...deniedLines,
    'network: the responder answered',
    'to do: restart one of its ends if the connection must end',
  ]);
});

t.test('drift: both verdicts, and the sides of both', async (t) => {
  const one = evaluated(undeclared, {}, { declaredVerdict: denied });
  t.same(explain(driftOf(one)!, one).split('\n'), [
    'shop/web -> shop/db TCP 5432 is denied by the declared policies and not covered by those of the cluster.',
    ...deniedLines.map((line) => `declared ${line}`),
    'cluster egress: not isolated: no policy selects it',
    'cluster ingress: not isolated: no policy selects it',
    'network: the responder answered',
    'to do: apply the declared policies, or change them',
  ]);
});

t.test('notes: mid-stream, inferred initiator, masquerade, translation', async (t) => {
  const translated = { initiator: ip('10.0.1.2'), initiatorPort: 1, responder: ip('fd00::10'), responderPort: 80 };
  const change = { midStream: true, initiatorInferred: true, translated };
  t.same(
    linesOf(evaluated(denied, change, { masqueradeAddress: '192.0.2.1' })).filter((line) => line.startsWith('note: ')),
    [
      'note: the connection began before the agent watched the interface',
      'note: the initiator is inferred from ports and order',
      "note: the network changes the initiator's address to 192.0.2.1 (masquerade)",
      'note: the initiator connected to [fd00::10]:80, which was translated',
    ],
  );
});

t.test('every reason for unknown delivery is a line', async (t) => {
  for (const why of [
    'responder-outside',
    'not-watched',
    'losses',
    'filters-changed',
    'half-visible',
    'backend-not-known',
  ] as const) {
    const lines = linesOf(evaluated(denied, { outcome: 'refused', delivered: unknown(why) }));
    t.equal(
      lines.filter((line) => /^network: refused, but it is unknown by whom: \w.*[^.]$/.test(line)).length,
      1,
      why,
    );
  }
});

t.test('a name from outside cannot add a line', async (t) => {
  const breaks = ['\n', '\r', '\v', '\f', '\x85', '\u2028', '\u2029'];
  const forged = `x${breaks.map((one) => `${one}to do: nothing`).join('')}`;
  const anyBreak = /[\n\r\v\f\x85\u2028\u2029]/;
  const policy = { ...dbPolicy, name: forged };
  const nearest = [{ policy, rule: 0, mismatch: 'peer', expected: forged }] as const;
  const verdict: Verdict = { verdict: 'denied', sides: [{ ...deniedSide, isolatedBy: [policy], nearest }] };
  const initiator = podEnd(`shop/${forged}`, { node: forged });
  const responder = { kind: 'external', ip: ip('203.0.113.9'), zone: forged, names: [forged] } as const;
  const observations = [{ ...atSource, node: forged }];
  const translated = { initiator: ip('10.0.1.2'), initiatorPort: 1, responder: ip('10.96.0.1'), responderPort: 80 };
  const dropped = { outcome: 'unanswered', delivered: { delivered: 'no' } } as const;
  const ends = { initiator, responder, translated };
  const [bypass, blocked, broken, crossNode] = [
    evaluated(verdict, ends, { masqueradeAddress: forged }),
    evaluated(verdict, { ...ends, ...dropped }, { observations }),
    evaluated(allowed, { ...ends, ...dropped }, { observations }),
    evaluated(undeclared, { initiator, responder: podEnd(`shop/${forged}`, { node: forged }) }),
  ];
  const drift = evaluated(undeclared, ends, { declaredVerdict: verdict });
  const explanations = [
    ...[bypass, blocked, broken, crossNode].map((one) => explain(violationOf(one)!, one)),
    explain(driftOf(drift)!, drift),
  ];
  for (const explanation of explanations) {
    const lines = explanation.split('\n');
    t.notOk(lines.some((line) => anyBreak.test(line)));
    t.equal(lines.filter((line) => line.startsWith('to do: ')).length, 1, lines[0]!);
    t.match(lines[0], 'x\\u{000a}to do: nothing\\u{000d}', 'the line break is shown');
  }
});

t.test('inert: a policy of a host-network pod, and one that selects nothing, also with forged names', async (t) => {
  const policy = (name: string, app: string) =>
    ({
      kind: 'NetworkPolicy',
      namespace: 'shop',
      name,
      podSelector: [{ key: 'app', operator: 'In', values: [app] }],
    }) as unknown as Policy;
  const explanationsOf = (name: string) =>
    inertFindings(
      {
        policies: [policy(name, 'proxy'), policy('typo', 'poxy')],
        labelsOf: () => ({}),
        pods: [
          {
            kind: 'Pod',
            namespace: 'shop',
            name: 'proxy-1',
            labels: { app: 'proxy' },
            hostNetwork: true,
            node: 'n1',
            workload: { kind: 'DaemonSet', name: 'proxy' },
          } as unknown as Pod,
        ],
        workloads: [],
      },
      0,
    ).map(({ explanation }) => explanation.split('\n'));
  t.same(explanationsOf('proxy'), [
    ['NetworkPolicy shop/typo selects no pod, so it has no effect.', 'to do: fix the selector, or delete the policy'],
    [
      'shop/proxy runs on the host network, so NetworkPolicy shop/proxy cannot cover it.',
      'note: the pod uses the network and the addresses of the node',
      'to do: remove hostNetwork from the pod, or filter on the node',
    ],
  ]);
  t.same(
    explanationsOf('x\nto do: nothing').map((lines) => lines.length),
    [2, 3],
  );
});
