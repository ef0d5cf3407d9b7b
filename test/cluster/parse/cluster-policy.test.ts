import t from 'tap';
import { parseObject } from '../../../cluster/parse/parse.ts';
import { parsed, problemsOf, raw } from '../../scene/objects.ts';

type Rule = Record<string, unknown>;

const everyone = { namespaces: {} };
const web = { matchLabels: { app: 'web' } };
const isWeb = [{ key: 'app', operator: 'In', values: ['web'] }];
const accept = (rest: Rule): Rule => ({ action: 'Accept', to: [everyone], ...rest });
const spec = (rest: Rule = {}) => ({ tier: 'Admin', priority: 10, subject: everyone, ...rest });
const policy = (rest: Rule = {}) => raw('ClusterNetworkPolicy', 'guard', { spec: spec(rest) });
const read = (rest: Rule = {}) => parsed('ClusterNetworkPolicy', policy(rest));
const rulesOf = (rest: Rule) => {
  const { broken, ...valid } = read(rest);
  return 'egress' in valid ? valid.egress : undefined;
};
const egress = (rest: Rule) => ({ egress: [accept(rest)] });

t.test('a ClusterNetworkPolicy is read with tier, priority, subject, and its rules in order', async (t) => {
  const ingress = [
    { name: 'first', action: 'Deny', from: [{ namespaces: web }] },
    { action: 'Pass', from: [{ pods: { namespaceSelector: web, podSelector: web } }, { pods: { podSelector: {} } }] },
  ];
  t.same(read({ tier: 'Baseline', subject: { pods: { podSelector: web } }, ingress }), {
    kind: 'ClusterNetworkPolicy',
    name: 'guard',
    namespace: '',
    uid: 'ClusterNetworkPolicy//guard',
    createdUs: 0,
    tier: 'Baseline',
    priority: 10,
    subject: { namespaceSelector: [], podSelector: isWeb },
    ingress: [
      { name: 'first', action: 'Deny', peers: [{ pods: { namespaceSelector: isWeb } }], ports: [] },
      {
        name: '',
        action: 'Pass',
        peers: [
          { pods: { namespaceSelector: isWeb, podSelector: isWeb } },
          { pods: { namespaceSelector: [], podSelector: [] } },
        ],
        ports: [],
      },
    ],
    egress: [],
  });
});

t.test('rule 21: a policy without rules is valid', async (t) => {
  t.match(read(), { broken: undefined, ingress: [], egress: [] });
  t.match(read({ ingress: [], egress: null }), { broken: undefined, ingress: [], egress: [] });
});

t.test('rule 24: egress rules have nodes, networks and domain names as peers', async (t) => {
  const to = [
    { nodes: {} },
    { networks: ['10.1.2.3/8', 'fd00::/8'] },
    { domainNames: ['*.Example.COM.', 'a_b.example'] },
  ];
  t.match(rulesOf(egress({ to }))?.[0]?.peers, [
    { nodes: [] },
    { networks: [{ text: '10.0.0.0/8' }, { text: 'fd00::/8' }] },
    { domainNames: ['*.example.com', 'a_b.example'] },
  ]);
});

t.test('rule 25: a port is a number or range of one protocol, or a name of any protocol', async (t) => {
  const protocols = [
    { tcp: { destinationPort: { number: 443 } } },
    { udp: { destinationPort: { range: { start: 5000, end: 5010 } } } },
    { sctp: { destinationPort: { number: 9 } } },
    { destinationNamedPort: 'http' },
  ];
  t.same(rulesOf(egress({ protocols }))?.[0]?.ports, [
    { protocol: 6, port: 443 },
    { protocol: 17, port: 5000, endPort: 5010 },
    { protocol: 132, port: 9 },
    { port: 'http' },
  ]);
});

t.test('rule 26: a peer or protocol without a known field is valid, and the rule has its path', async (t) => {
  const tcp = { tcp: { destinationPort: { number: 443 } } };
  const unknown: [Rule, string][] = [
    [{ to: [everyone, { services: {} }, {}] }, 'spec.egress[0].to[1]'],
    [{ to: [{}] }, 'spec.egress[0].to[0]'],
    [{ protocols: [tcp, { quic: {} }] }, 'spec.egress[0].protocols[1]'],
    [{ protocols: [{ tcp: { sourcePort: 1 } }] }, 'spec.egress[0].protocols[0]'],
    [{ protocols: [{ tcp: { destinationPort: {} } }] }, 'spec.egress[0].protocols[0]'],
  ];
  for (const [rule, notUnderstood] of unknown) {
    t.same(problemsOf(policy(egress(rule))), []);
    t.match(read(egress(rule)), { broken: undefined, egress: [{ notUnderstood }] });
  }
  t.equal(rulesOf(egress({}))?.[0]?.notUnderstood, undefined);
});

t.test('rule 26: an ingress rule does not understand networks as peers', async (t) => {
  const ingress = [{ action: 'Accept', from: [everyone, { networks: ['10.0.0.0/8'] }] }];
  t.match(read({ ingress }), { broken: undefined, ingress: [{ notUnderstood: 'spec.ingress[0].from[1]' }] });
});

const admin = (rest: Rule = {}) =>
  raw('AdminNetworkPolicy', 'guard', { spec: { priority: 7, subject: everyone, ...rest } });
const baseline = (rest: Rule = {}, name = 'default') =>
  raw('BaselineAdminNetworkPolicy', name, { spec: { subject: everyone, ...rest } });
const allow = (rest: Rule): Rule => ({ egress: [{ action: 'Allow', to: [everyone], ...rest }] });

t.test('rule 27: an AdminNetworkPolicy is in the Admin tier, and Allow is Accept', async (t) => {
  const ports = [
    { portNumber: { port: 80 } },
    { portNumber: { protocol: 'UDP', port: 53 } },
    { portRange: { start: 1, end: 9 } },
    { portRange: { protocol: 'SCTP', start: 1, end: 9 } },
    { namedPort: 'http' },
  ];
  t.match(parsed('AdminNetworkPolicy', admin(allow({ ports }))), {
    tier: 'Admin',
    priority: 7,
    broken: undefined,
    egress: [
      {
        action: 'Accept',
        ports: [
          { protocol: 6, port: 80 },
          { protocol: 17, port: 53 },
          { protocol: 6, port: 1, endPort: 9 },
          { protocol: 132, port: 1, endPort: 9 },
          { protocol: undefined, port: 'http' },
        ],
      },
    ],
  });
});

t.test('rule 27: a BaselineAdminNetworkPolicy is in the Baseline tier', async (t) => {
  const to = [{ nodes: web }, { networks: ['0.0.0.0/0'] }];
  t.match(parsed('BaselineAdminNetworkPolicy', baseline(allow({ to }))), {
    tier: 'Baseline',
    priority: 0,
    broken: undefined,
    egress: [{ action: 'Accept', peers: [{ nodes: isWeb }, { networks: [{ text: '0.0.0.0/0' }] }] }],
  });
});

t.test('rule 27: v1alpha1 allows 100 rules, and v1alpha2 allows 25', async (t) => {
  const rules = (count: number, action: string) => ({
    egress: Array.from({ length: count }, () => ({ action, to: [everyone] })),
  });
  t.same(problemsOf(admin(rules(100, 'Allow'))), []);
  t.match(problemsOf(admin(rules(101, 'Allow'))), [/^too-many-items: .*spec\.egress\): the list has 101 items/]);
  t.same(problemsOf(policy(rules(25, 'Accept'))), []);
  t.match(problemsOf(policy(rules(26, 'Accept'))), [/^too-many-items: .*spec\.egress\): the list has 26 items/]);
});

const at = 'ClusterNetworkPolicy guard (spec';
const rule = `${at}.egress[0]`;
const many = (count: number, item: (index: number) => unknown) => Array.from({ length: count }, (_, i) => item(i));
const faults: [string, Rule, string][] = [
  ['an unknown tier', { tier: 'admin' }, `unknown-tier: ${at}.tier): unknown tier "admin"; set Admin or Baseline`],
  ['a missing tier', { tier: null }, `missing-field: ${at}.tier): tier is missing; set tier`],
  [
    'a priority above 1000',
    { priority: 1001 },
    `bad-priority: ${at}.priority): priority 1001 is out of range; set a whole number from 0 to 1000 (0 is evaluated first)`,
  ],
  [
    'a priority below 0',
    { priority: -1 },
    `bad-priority: ${at}.priority): priority -1 is out of range; set a whole number from 0 to 1000 (0 is evaluated first)`,
  ],
  ['a missing priority', { priority: null }, `missing-field: ${at}.priority): priority is missing; set priority`],
  ['a missing subject', { subject: null }, `missing-field: ${at}.subject): subject is missing; set subject`],
  [
    'an empty subject',
    { subject: {} },
    `empty-subject: ${at}.subject): the subject selects no pods; set namespaces or pods (namespaces: {} selects every pod)`,
  ],
  [
    'a subject with namespaces and pods',
    { subject: { ...everyone, pods: { podSelector: {} } } },
    `mixed-subject: ${at}.subject): the subject has both namespaces and pods; remove namespaces and set pods.namespaceSelector`,
  ],
  [
    'a misspelled field of the subject',
    { subject: { namespace: {} } },
    `unknown-field: ${at}.subject.namespace): unknown field "namespace"; use one of namespaces, pods, or remove it`,
  ],
  [
    'pods without podSelector',
    { subject: { pods: { namespaceSelector: {} } } },
    `missing-field: ${at}.subject.pods.podSelector): podSelector is missing; set podSelector`,
  ],
  [
    'a misspelled field of the spec',
    { egres: [] },
    `unknown-field: ${at}.egres): unknown field "egres"; use one of tier, priority, subject, ingress, egress, or remove it`,
  ],
  [
    'an action of v1alpha1',
    egress({ action: 'Allow' }),
    `unknown-action: ${rule}.action): unknown action "Allow"; set Accept, Deny or Pass`,
  ],
  [
    'an action named like a property of every object',
    egress({ action: 'constructor' }),
    `unknown-action: ${rule}.action): unknown action "constructor"; set Accept, Deny or Pass`,
  ],
  ['a missing action', egress({ action: null }), `missing-field: ${rule}.action): action is missing; set action`],
  ['missing peers', egress({ to: null }), `missing-field: ${rule}.to): to is missing; set to`],
  ['no peers', egress({ to: [] }), `empty-list: ${rule}.to): the list is empty; add at least one item`],
  [
    'no protocols',
    egress({ protocols: [] }),
    `empty-list: ${rule}.protocols): the list is empty; add at least one item`,
  ],
  [
    'too many peers',
    egress({ to: many(26, () => everyone) }),
    `too-many-items: ${rule}.to): the list has 26 items, more than 25; split it across several rules or policies`,
  ],
  [
    'a peer with two fields',
    egress({ to: [{ ...everyone, nodes: {} }] }),
    `mixed-peer: ${rule}.to[0]): the peer has namespaces and nodes; split it into 2 peers`,
  ],
  [
    'a peer with a known and an unknown field',
    egress({ to: [{ ...everyone, services: {} }] }),
    `unknown-field: ${rule}.to[0].services): unknown field "services"; use one of namespaces, pods, nodes, networks, domainNames, or remove it`,
  ],
  [
    'a bad CIDR',
    egress({ to: [{ networks: ['10.0.0.0'] }] }),
    `bad-cidr: ${rule}.to[0].networks[0]): invalid CIDR block "10.0.0.0"; use the form 10.0.0.0/8 or fd00::/8`,
  ],
  [
    'IPv4 in IPv6 notation',
    egress({ to: [{ networks: ['::ffff:10.0.0.0/8'] }] }),
    `bad-cidr: ${rule}.to[0].networks[0]): invalid CIDR block "::ffff:10.0.0.0/8"; use the form 10.0.0.0/8 or fd00::/8`,
  ],
  [
    'a repeated network',
    egress({ to: [{ networks: ['10.0.0.0/8', '10.0.0.0/8'] }] }),
    `duplicate-item: ${rule}.to[0].networks[1]): duplicate item "10.0.0.0/8"; remove one of the two`,
  ],
  [
    'too many networks',
    egress({ to: [{ networks: many(26, (i) => `10.${i}.0.0/16`) }] }),
    `too-many-items: ${rule}.to[0].networks): the list has 26 items, more than 25; split it across several rules or policies`,
  ],
  [
    'a star inside a domain name',
    egress({ to: [{ domainNames: ['www.*.example'] }] }),
    `bad-domain-name: ${rule}.to[0].domainNames[0]): invalid domain name "www.*.example"; use the form example.com, or *.example.com for all names below it`,
  ],
  [
    'a domain name of one label',
    egress({ to: [{ domainNames: ['localhost'] }] }),
    `bad-domain-name: ${rule}.to[0].domainNames[0]): invalid domain name "localhost"; use the form example.com, or *.example.com for all names below it`,
  ],
  [
    'domain names in a rule that denies',
    egress({ action: 'Deny', to: [{ domainNames: ['example.com'] }] }),
    `names-need-accept: ${rule}.to[0].domainNames): domainNames need action Accept, and the rule has "Deny"; set action Accept, and deny other traffic in a later rule`,
  ],
  [
    'a container port name with networks as peers',
    egress({ to: [{ networks: ['10.0.0.0/8'] }], protocols: [{ destinationNamedPort: 'http' }] }),
    `named-port-without-pods: ${rule}.protocols[0]): port name "http" applies only to pods, and the rule has networks as peers; use a port number, or move the pods to a separate rule`,
  ],
  [
    'two protocols in one item',
    egress({ protocols: [{ tcp: {}, udp: {} }] }),
    `mixed-port: ${rule}.protocols[0]): tcp and udp cannot be set together; split them into 2 items`,
  ],
  ...['tcp', 'udp', 'sctp'].map((name): (typeof faults)[number] => [
    `an empty ${name}`,
    egress({ protocols: [{ [name]: {} }] }),
    `missing-field: ${rule}.protocols[0].${name}.destinationPort): destinationPort is missing; set destinationPort`,
  ]),
  [
    'a port and a range',
    egress({ protocols: [{ tcp: { destinationPort: { number: 1, range: { start: 1, end: 2 } } } }] }),
    `mixed-port: ${rule}.protocols[0].tcp.destinationPort): number and range cannot be set together; split them into 2 items`,
  ],
  [
    'a port out of range',
    egress({ protocols: [{ tcp: { destinationPort: { number: 65536 } } }] }),
    `bad-port: ${rule}.protocols[0].tcp.destinationPort.number): number 65536 is out of range; set a port number from 1 to 65535`,
  ],
  [
    'a range whose end is below its start',
    egress({ protocols: [{ tcp: { destinationPort: { range: { start: 90, end: 80 } } } }] }),
    `end-not-above-start: ${rule}.protocols[0].tcp.destinationPort.range.end): end 80 is not above start 90; set 91 or more, or use a single port number`,
  ],
  [
    'a range of one port',
    egress({ protocols: [{ tcp: { destinationPort: { range: { start: 90, end: 90 } } } }] }),
    `end-not-above-start: ${rule}.protocols[0].tcp.destinationPort.range.end): end 90 is not above start 90; set 91 or more, or use a single port number`,
  ],
  [
    'a range without end',
    egress({ protocols: [{ tcp: { destinationPort: { range: { start: 90 } } } }] }),
    `missing-field: ${rule}.protocols[0].tcp.destinationPort.range.end): end is missing; set end`,
  ],
  [
    'a rule name that is too long',
    egress({ name: 'x'.repeat(101) }),
    `too-long: ${rule}.name): name has 101 characters, more than 100; shorten it to 100 characters`,
  ],
  [
    'a misspelled field of a rule',
    egress({ ports: [] }),
    `unknown-field: ${rule}.ports): unknown field "ports"; use one of name, action, to, protocols, or remove it`,
  ],
  [
    'an unknown operator',
    { subject: { namespaces: { matchExpressions: [{ key: 'a', operator: 'Is' }] } } },
    `unknown-operator: ${at}.subject.namespaces.matchExpressions[0].operator): unknown operator "Is"; set In, NotIn, Exists or DoesNotExist`,
  ],
];

for (const [name, rest, line] of faults) {
  t.test(`rule 17: ${name} is reported in one line, with its field and what to do`, async (t) => {
    t.same(problemsOf(policy(rest)), [line]);
    t.match(read(rest), { kind: 'ClusterNetworkPolicy', name: 'guard', broken: [{}], ingress: undefined });
  });
}

t.test('rule 17: a broken policy still has its tier, subject and directions', async (t) => {
  const subject = { namespaces: web };
  const known = { tier: 'Baseline', priority: 7, subject: { namespaceSelector: isWeb } };
  const broken = read({ tier: 'Baseline', priority: 7, subject, ...egress({ action: 'Drop' }) });
  t.match(broken, known);
  t.same(broken.broken && broken.directions, ['egress']);
});

t.test('rule 17: an invalid part of a broken policy has the value with the most effect', async (t) => {
  t.match(read({ tier: 'Nowhere' }), { tier: 'Admin', priority: 10 });
  t.match(read({ priority: 'first' }), { priority: undefined, directions: [] });
  t.match(read({ subject: { namespaces: 1 } }), { subject: undefined });
  t.match(read({ Egress: [] }), { directions: ['ingress', 'egress'] });
  t.match(read({ ingress: {} }), { directions: ['ingress'] });
  const empty = parsed('ClusterNetworkPolicy', raw('ClusterNetworkPolicy', 'guard'));
  t.match(empty, { tier: 'Admin', subject: undefined, directions: ['ingress', 'egress'] });
});

t.test('rule 17: v1alpha1 has its own faults', async (t) => {
  t.same(problemsOf(admin({ tier: 'Admin' })).length, 1, 'no tier');
  t.match(problemsOf(admin({ subject: { pods: { podSelector: {} } } })), [/^missing-field: .*namespaceSelector/]);
  t.match(problemsOf(admin({ egress: [{ action: 'Accept', to: [everyone] }] })), [/set Allow, Deny or Pass$/]);
  t.match(problemsOf(admin(allow({ ports: [{ portNumber: {} }] }))), [/^missing-field: .*port is missing/]);
  t.match(problemsOf(baseline(allow({ action: 'Pass' }))), [/^unknown-action: .*set Allow or Deny$/]);
  t.match(problemsOf(baseline({ priority: 1 })), [/^unknown-field: .*"priority"/]);
  t.same(problemsOf(baseline({}, 'other')), [
    'bad-baseline-name: BaselineAdminNetworkPolicy other (metadata.name): invalid BaselineAdminNetworkPolicy name "other"; name it default, the only name that Kubernetes allows',
  ]);
  t.match(parsed('BaselineAdminNetworkPolicy', baseline({}, 'other')), { tier: 'Baseline', broken: [{}] });
});

t.test(
  'rule 27: ports that the CRDs of v1alpha1 accept, and the API does not define, make no policy invalid',
  async (t) => {
    const undefinedIn = (ports: unknown) => {
      t.same(problemsOf(admin(allow({ ports }))), [], JSON.stringify(ports));
      const read = parsed('AdminNetworkPolicy', admin(allow({ ports })));
      const [rule] = read.broken === undefined ? read.egress : [];
      return { undefinedPorts: rule?.undefinedPorts, ports: rule?.ports };
    };
    const path = 'spec.egress[0].ports';
    t.same(undefinedIn([]), { undefinedPorts: [{ path }], ports: [] });
    const range = (start: number, end: number, more = {}) => ({ portRange: { start, end, ...more } });
    const tcp = { protocol: 6, port: 80 };
    t.same(undefinedIn([range(90, 80)]), { undefinedPorts: [{ path: `${path}[0]`, protocol: 6 }], ports: [] });
    t.same(undefinedIn([range(80, 80)]), { undefinedPorts: undefined, ports: [{ ...tcp, endPort: 80 }] });
    const number = (protocol: string) => ({ portNumber: { protocol, port: 80 } });
    for (const [protocol, read] of [
      ['ICMP', 1],
      ['udp', 17],
      ['47', 47],
      ['foo', undefined],
      ['', undefined],
    ] as const) {
      t.same(undefinedIn([number('TCP'), number(protocol)]), {
        undefinedPorts: [{ path: `${path}[1]`, ...(read !== undefined && { protocol: read }) }],
        ports: [tcp],
      });
    }
    t.same(undefinedIn([range(1, 2, { protocol: 'ICMP' })]).undefinedPorts, [{ path: `${path}[0]`, protocol: 1 }]);
    t.match(problemsOf(policy({ ingress: [{ action: 'Deny', from: [everyone], protocols: [] }] })), [/^empty-list/]);
  },
);

t.test('a kind of the same name in another API group is another kind, and another version is reported', async (t) => {
  t.match(parseObject({ ...policy(), apiVersion: 'policy.example.com/v1beta1' }), {
    object: { kind: 'ClusterNetworkPolicy.policy.example.com' },
  });
  t.match(parseObject({ ...policy(), apiVersion: 'crd.antrea.io/v1beta1' }), {
    object: { kind: 'ClusterNetworkPolicy.crd.antrea.io' },
  });
  t.same(problemsOf({ ...admin(), apiVersion: 'policy.networking.k8s.io/v1' }), [
    'unknown-api-version: AdminNetworkPolicy guard (apiVersion): apiVersion "policy.networking.k8s.io/v1" is not supported for this kind; use policy.networking.k8s.io/v1alpha1',
  ]);
});
