import t from 'tap';
import { parsed, problemsOf, raw } from '../../scene/objects.ts';

const policy = (spec?: unknown) => raw('NetworkPolicy', 'shop/db', { spec });
const read = (spec?: unknown) => parsed('NetworkPolicy', policy(spec));
const ingress = (rule: unknown) => ({ podSelector: {}, ingress: [rule] });

t.test('labels and annotations of a policy are checked, as for the API server', async (t) => {
  const faults = (metadata: object) =>
    problemsOf(raw('NetworkPolicy', 'shop/p', { metadata, spec: { podSelector: {} } }));
  t.same(faults({ labels: { 'example.com/app': 'a_b', empty: '' }, annotations: { 'x.y/z': 'any text' } }), []);
  t.match(faults({ labels: { app: 'a b' } }), [/^bad-label-value: .*metadata\.labels\.app/]);
  t.match(faults({ labels: { 'a b': 'x' } }), [/^bad-label-key: /]);
  t.match(faults({ labels: { app: 1 } }), [/^wrong-type: .*put the value in quotes$/]);
  t.match(faults({ annotations: { reviewed: true } }), [/^wrong-type: .*put the value in quotes/]);
});

t.test('policyTypes has at most two items, as for the API server; the same type twice is valid', async (t) => {
  const policy = (policyTypes: string[]) => raw('NetworkPolicy', 'shop/p', { spec: { podSelector: {}, policyTypes } });
  t.same(problemsOf(policy(['Ingress', 'Egress', 'Ingress'])), [
    'too-many-items: NetworkPolicy shop/p (spec.policyTypes): policyTypes has 3 items, more than 2; set Ingress, Egress or both, once each',
  ]);
  t.match(parsed('NetworkPolicy', policy(['Egress', 'Egress', 'Egress'])), { directions: ['ingress', 'egress'] });
  for (const valid of [[], ['Ingress'], ['Ingress', 'Ingress'], ['Egress', 'Ingress']])
    t.same(problemsOf(policy(valid)), []);
});

t.test('rule 2: without policyTypes ingress is isolated, and egress only if it has a rule', async (t) => {
  t.match(read({ podSelector: {} }), { ingress: [], egress: undefined, broken: undefined });
  t.match(read({ podSelector: {}, policyTypes: [] }), { ingress: [], egress: undefined });
  t.match(read({ podSelector: {}, egress: [] }), { ingress: [], egress: undefined });
  t.match(read({ podSelector: {}, egress: null }), { ingress: [], egress: undefined });
  t.match(read({ podSelector: {}, egress: [{}] }), { ingress: [], egress: [{ peers: [], ports: [] }] });
});

t.test('rule 2: policyTypes decide which directions are isolated, whatever rules there are', async (t) => {
  const both = read({ podSelector: {}, policyTypes: ['Egress'], ingress: [{}] });
  t.match(both, { ingress: undefined, egress: [] });
  t.match(read({ podSelector: {}, policyTypes: ['Egress', 'Ingress'] }), { ingress: [], egress: [] });
});

t.test('rule 5: a podSelector that is missing, null or empty selects every pod', async (t) => {
  for (const spec of [{}, { podSelector: null }, { podSelector: {} }, undefined]) {
    t.match(read(spec), { podSelector: [], broken: undefined });
  }
});

t.test('rule 6: a rule without from and ports allows every peer and every port', async (t) => {
  t.match(read(ingress({})), { ingress: [{ peers: [], ports: [] }] });
  t.match(read(ingress({ from: [], ports: [] })), { ingress: [{ peers: [], ports: [] }] });
  t.match(read({ podSelector: {}, ingress: [null] }), { ingress: [{ peers: [], ports: [] }] });
});

t.test('rule 7: one peer with two selectors is one peer, two peers are two', async (t) => {
  const pods = { podSelector: { matchLabels: { app: 'web' } } };
  const namespaces = { namespaceSelector: {} };
  const app = [{ key: 'app', operator: 'In', values: ['web'] }];
  t.same(read(ingress({ from: [{ ...pods, ...namespaces }] })), {
    ...read(ingress({})),
    ingress: [{ peers: [{ podSelector: app, namespaceSelector: [] }], ports: [] }],
  });
  t.same(read(ingress({ from: [pods, namespaces] })), {
    ...read(ingress({})),
    ingress: [{ peers: [{ podSelector: app }, { namespaceSelector: [] }], ports: [] }],
  });
});

t.test('rule 9: ipBlock is read with its exceptions, host bits cleared', async (t) => {
  const block = { cidr: '10.1.2.3/8', except: ['10.1.0.0/16'] };
  t.match(read(ingress({ from: [{ ipBlock: block }] })), {
    ingress: [{ peers: [{ ipBlock: { cidr: { text: '10.0.0.0/8' }, except: [{ text: '10.1.0.0/16' }] } }] }],
  });
});

t.test('rule 10: the protocol of a port is TCP by default; ports are numbers, names and ranges', async (t) => {
  const ports = [
    { port: 80 },
    { protocol: 'UDP' },
    { protocol: 'SCTP', port: 'sig' },
    { port: 8080, endPort: 8090 },
    { port: 1, endPort: 1 },
    {},
  ];
  t.match(read(ingress({ ports })), {
    ingress: [
      {
        ports: [
          { protocol: 6, port: 80, endPort: undefined },
          { protocol: 17, port: undefined },
          { protocol: 132, port: 'sig' },
          { protocol: 6, port: 8080, endPort: 8090 },
          { protocol: 6, port: 1, endPort: 1 },
          { protocol: 6, port: undefined },
        ],
      },
    ],
  });
});

const port = (value: unknown) => ingress({ ports: [value] });
const peer = (value: unknown) => ingress({ from: [value] });
const expression = (value: unknown) => peer({ podSelector: { matchExpressions: [value] } });
const at = 'NetworkPolicy shop/db (spec.ingress[0].';
const faults: [string, unknown, string][] = [
  [
    'an unknown policy type',
    { policyTypes: ['ingress'] },
    'unknown-policy-type: NetworkPolicy shop/db (spec.policyTypes[0]): unknown policy type "ingress"; set Ingress, Egress or both',
  ],
  [
    'an unknown protocol',
    port({ protocol: 'tcp', port: 80 }),
    `unknown-protocol: ${at}ports[0].protocol): unknown protocol "tcp"; set TCP, UDP or SCTP`,
  ],
  [
    'a protocol without ports',
    port({ protocol: 'ICMP' }),
    `unknown-protocol: ${at}ports[0].protocol): unknown protocol "ICMP"; set TCP, UDP or SCTP`,
  ],
  [
    'a port above 65535',
    port({ port: 65536 }),
    `bad-port: ${at}ports[0].port): port 65536 is out of range; set a port number from 1 to 65535`,
  ],
  [
    'port 0',
    port({ port: 0 }),
    `bad-port: ${at}ports[0].port): port 0 is out of range; set a port number from 1 to 65535`,
  ],
  [
    'a port that is not a whole number',
    port({ port: 80.5 }),
    `wrong-type: ${at}ports[0].port): 80.5 is not a whole number; write a whole number`,
  ],
  [
    'a port number in quotes',
    port({ port: '80' }),
    `bad-port-name: ${at}ports[0].port): invalid port name "80"; write 80 without quotes for the port number`,
  ],
  [
    'a port name with capitals',
    port({ port: 'Web' }),
    `bad-port-name: ${at}ports[0].port): invalid port name "Web"; use at most 15 lower-case letters, digits and single hyphens, with at least one letter`,
  ],
  [
    'endPort without port',
    port({ endPort: 90 }),
    `end-port-without-port: ${at}ports[0].endPort): endPort 90 needs a numeric port, and port is missing; set port to a number`,
  ],
  [
    'endPort with a port name',
    port({ port: 'web', endPort: 90 }),
    `end-port-without-port: ${at}ports[0].endPort): endPort 90 needs a numeric port, and port is "web"; set port to a number`,
  ],
  [
    'endPort below port',
    port({ port: 8080, endPort: 90 }),
    `end-port-below-port: ${at}ports[0].endPort): endPort 90 is below port 8080; set 8080 or more`,
  ],
  [
    'a bad CIDR',
    peer({ ipBlock: { cidr: '10.0.0.0/33' } }),
    `bad-cidr: ${at}from[0].ipBlock.cidr): invalid CIDR block "10.0.0.0/33"; use the form 10.0.0.0/8 or fd00::/8`,
  ],
  [
    'an address in place of a CIDR block',
    peer({ ipBlock: { cidr: '10.0.0.1' } }),
    `bad-cidr: ${at}from[0].ipBlock.cidr): invalid CIDR block "10.0.0.1"; use the form 10.0.0.0/8 or fd00::/8`,
  ],
  [
    'ipBlock without cidr',
    peer({ ipBlock: {} }),
    `missing-field: ${at}from[0].ipBlock.cidr): cidr is missing; set cidr`,
  ],
  [
    'an except outside its block',
    peer({ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/16'] } }),
    `except-outside-block: ${at}from[0].ipBlock.except[0]): except "11.0.0.0/16" is not a smaller block inside 10.0.0.0/8; use a smaller block inside it, or remove the exception`,
  ],
  [
    'an except of the whole block',
    peer({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }),
    `except-outside-block: ${at}from[0].ipBlock.except[0]): except "10.0.0.0/8" is not a smaller block inside 10.0.0.0/8; use a smaller block inside it, or remove the exception`,
  ],
  [
    'an except of the other family',
    peer({ ipBlock: { cidr: '10.0.0.0/8', except: ['fd00::/64'] } }),
    `except-outside-block: ${at}from[0].ipBlock.except[0]): except "fd00::/64" is not a smaller block inside 10.0.0.0/8; use a smaller block inside it, or remove the exception`,
  ],
  [
    'a peer with ipBlock and a selector',
    peer({ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }),
    `mixed-peer: ${at}from[0]): the peer has both ipBlock and a selector; split it into two peers`,
  ],
  [
    'an empty peer',
    peer({}),
    `empty-peer: ${at}from[0]): the peer is empty; set podSelector, namespaceSelector or ipBlock, or remove the whole list to allow every peer`,
  ],
  [
    'an unknown operator',
    expression({ key: 'app', operator: 'Is', values: ['web'] }),
    `unknown-operator: ${at}from[0].podSelector.matchExpressions[0].operator): unknown operator "Is"; set In, NotIn, Exists or DoesNotExist`,
  ],
  [
    'a missing operator',
    expression({ key: 'app' }),
    `missing-field: ${at}from[0].podSelector.matchExpressions[0].operator): operator is missing; set operator`,
  ],
  [
    'In without values',
    expression({ key: 'app', operator: 'In', values: [] }),
    `operator-needs-values: ${at}from[0].podSelector.matchExpressions[0].values): operator In has no values; add at least one value`,
  ],
  [
    'Exists with values',
    expression({ key: 'app', operator: 'Exists', values: ['web'] }),
    `operator-takes-no-values: ${at}from[0].podSelector.matchExpressions[0].values): operator Exists takes no values; remove the values`,
  ],
  [
    'an expression without key',
    expression({ operator: 'Exists' }),
    `missing-field: ${at}from[0].podSelector.matchExpressions[0].key): key is missing; set key`,
  ],
  [
    'a bad label key',
    peer({ podSelector: { matchLabels: { 'a/b/c': 'x' } } }),
    `bad-label-key: ${at}from[0].podSelector.matchLabels["a/b/c"]): invalid label key "a/b/c"; use NAME or DOMAIN/NAME, where NAME has at most 63 letters, digits, -, _ and .`,
  ],
  [
    'a bad label value',
    peer({ podSelector: { matchLabels: { app: '-web' } } }),
    `bad-label-value: ${at}from[0].podSelector.matchLabels.app): invalid label value "-web"; use at most 63 letters, digits, -, _ and ., with a letter or digit at both ends`,
  ],
  [
    'a label that is a number',
    { podSelector: { matchLabels: { version: 2 } } },
    'wrong-type: NetworkPolicy shop/db (spec.podSelector.matchLabels.version): 2 is not a string; put the value in quotes',
  ],
  [
    'a misspelled field',
    ingress({ form: [] }),
    `unknown-field: ${at}form): unknown field "form"; use one of from, ports, or remove it`,
  ],
  [
    'a map in place of a list',
    { podSelector: {}, ingress: { from: [] } },
    'wrong-type: NetworkPolicy shop/db (spec.ingress): {"from":[]} is not a list; write a list',
  ],
  [
    'a string in place of the spec',
    'none',
    'wrong-type: NetworkPolicy shop/db (spec): "none" is not a map; write a map',
  ],
];

for (const [name, spec, line] of faults) {
  t.test(`rule 17: ${name} is reported in one line, with its field and what to do`, async (t) => {
    t.same(problemsOf(policy(spec)), [line]);
    t.match(read(spec), { kind: 'NetworkPolicy', name: 'db', broken: [{}], ingress: undefined, egress: undefined });
  });
}

t.test('rule 17: a broken policy still has its podSelector and its directions', async (t) => {
  const sound = { podSelector: { matchLabels: { app: 'db' } }, policyTypes: ['Egress'], egress: [{ to: [{}] }] };
  t.match(read(sound), {
    podSelector: [{ key: 'app', operator: 'In', values: ['db'] }],
    directions: ['egress'],
  });
  t.match(read({ podSelector: { matchLabels: [] } }), { podSelector: undefined, directions: ['ingress'] });
  t.match(read({ policyTypes: ['Egress', 'Both'] }), { podSelector: [], directions: ['ingress', 'egress'] });
});

t.test('rule 17: a policy with many faults reports the first 50 and the number of the others', async (t) => {
  const lines = problemsOf(policy(ingress({ ports: Array.from({ length: 80 }, () => ({ port: 0 })) })));
  t.equal(lines.length, 51);
  t.equal(
    lines.at(-1),
    'more-problems: NetworkPolicy shop/db: 30 more problems are not shown; fix the problems above first',
  );
});

t.test('a NetworkPolicy of another API group is another kind', async (t) => {
  const other = { ...policy({ podSelector: 1 }), apiVersion: 'policy.example.com/v1' };
  t.same(problemsOf(other), []);
  t.equal(parsed('NetworkPolicy.policy.example.com', other).name, 'db');
  const calico = { ...policy({ podSelector: 1 }), apiVersion: 'crd.projectcalico.org/v1' };
  t.same(problemsOf(calico), [], 'faults in it are not reported');
  t.equal(parsed('NetworkPolicy.crd.projectcalico.org', calico).name, 'db');
});

t.test('a NetworkPolicy of an unsupported version is reported and broken', async (t) => {
  for (const apiVersion of ['extensions/v1beta1', 'networking.k8s.io/v1beta1']) {
    const old = { ...policy({ podSelector: {} }), apiVersion };
    t.same(problemsOf(old), [
      `unknown-api-version: NetworkPolicy shop/db (apiVersion): apiVersion "${apiVersion}" is not supported for this kind; use networking.k8s.io/v1`,
    ]);
    t.match(parsed('NetworkPolicy', old), { broken: [{}], directions: ['ingress'] });
  }
});
