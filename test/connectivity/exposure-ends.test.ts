// Which ends the lists have for pods outside the manifests, as `INITIATOR -> RESPONDER VERDICT CONNECTIONS`.
import t from 'tap';
import { endpointGroupText } from '../../cli/output/connectivity.ts';
import { connectionSetText } from '../../connectivity/connection-set.ts';
import { connectivity, passingVerdicts } from '../../connectivity/connectivity.ts';
import { difference } from '../../connectivity/difference.ts';
import type { DeclaredEndpoint, EndpointGroupJson } from '../../connectivity/endpoint-groups.ts';
import type { Policy } from '../../model/kubernetes.ts';
import { defaultPolicyOptions } from '../../policy/options.ts';
import { app, clusterPolicy, type PodParty, pod, policy, template } from '../scene/cluster.ts';

type State = { pods: readonly PodParty[]; policies: readonly Policy[] };
const everything = { verdicts: passingVerdicts, includesPair: () => true };

function stateOf({ pods, policies }: State) {
  const endpoints = pods.map((party): DeclaredEndpoint => {
    const kind = party.representsWorkload ? 'Deployment' : 'Pod';
    const { namespace, name } = party;
    return { kind: 'workload', namespace, workload: { kind, name }, pods: [{ name, party }] };
  });
  return { endpoints, policies };
}

function endsText(line: { initiator: EndpointGroupJson; responder: EndpointGroupJson }): string {
  return [line.initiator, line.responder].map((one) => endpointGroupText(one, new Set())).join(' -> ');
}

function isOther({ initiator, responder }: { initiator: EndpointGroupJson; responder: EndpointGroupJson }): boolean {
  return initiator.kind === 'other-pods' || responder.kind === 'other-pods';
}

function listed(state: State): string[] {
  return [...connectivity(stateOf(state), defaultPolicyOptions, everything)]
    .filter(isOther)
    .map((line) => `${endsText(line)} ${line.entry.verdict} ${connectionSetText(line.entry.connections)}`);
}

function changed(before: State, after: State): string[] {
  return [...difference(stateOf(before), stateOf(after), defaultPolicyOptions, everything)]
    .filter(isOther)
    .map((line) => `${line.entry.change} ${endsText(line)} ${connectionSetText(line.entry.connections)}`);
}

const db = template('shop/db', { app: 'db' }, { ports: { sql: 5432 } });
const web = template('shop/web', { app: 'web' });
const both = { policyTypes: ['Ingress', 'Egress'] };
const closed = policy('shop/closed', both);
const named = (name: string) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } });
const ports = (port: number | string, protocol = 'TCP') => [{ port, protocol }];

t.test('a policy without rules exposes nothing, and pods without a policy are open to any pod', async (t) => {
  t.same(listed({ pods: [db], policies: [closed] }), []);
  t.same(listed({ pods: [db], policies: [] }), [
    'shop/db -> any pod undeclared all connections',
    'any pod -> shop/db undeclared all connections',
  ]);
});

t.test('each peer of a rule is an end, in the words of its selectors', async (t) => {
  const from = [
    named('monitoring'),
    { namespaceSelector: { matchLabels: { team: 'y' } }, podSelector: app('x') },
    { namespaceSelector: {}, podSelector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['a', 'b'] }] } },
    { podSelector: app('new') },
  ];
  const rule = policy('shop/db', { ...both, ingress: [{ from, ports: ports('sql') }] });
  t.same(listed({ pods: [db], policies: [rule] }), [
    'any pod in namespaces with kubernetes.io/metadata.name=monitoring -> shop/db allowed TCP 5432',
    'any pod with app=new in namespace shop -> shop/db allowed TCP 5432',
    'any pod with app=x in namespaces with team=y -> shop/db allowed TCP 5432',
    'any pod with tier in (a, b) -> shop/db allowed TCP 5432',
  ]);
});

t.test('egress rules and cluster policies expose pods too', async (t) => {
  const dns = policy('shop/dns', { ...both, egress: [{ to: [named('kube-system')], ports: ports(53, 'UDP') }] });
  const peers = [{ pods: { namespaceSelector: { matchLabels: { team: 'ops' } }, podSelector: app('backup') } }];
  const ops = clusterPolicy('cnp/ops', { ingress: [{ action: 'Accept', from: peers }] });
  t.same(listed({ pods: [db], policies: [dns, ops] }), [
    'shop/db -> any pod in namespaces with kubernetes.io/metadata.name=kube-system allowed UDP 53',
    'any pod with app=backup in namespaces with team=ops -> shop/db allowed all connections',
  ]);
});

t.test(
  'a rule without peers or with an empty namespace selector is any pod, and narrower ends that get the same are left out',
  async (t) => {
    const rules = [
      { from: [{ namespaceSelector: {} }], ports: ports(80) },
      { from: [named('a')], ports: ports(80) },
    ];
    const open = policy('shop/open', { ...both, ingress: [...rules, { from: [named('b')], ports: ports(81) }] });
    t.same(listed({ pods: [db], policies: [open] }), [
      'any pod -> shop/db allowed TCP 80',
      'any pod in namespaces with kubernetes.io/metadata.name=b -> shop/db allowed TCP 80-81',
    ]);
  },
);

t.test('an end that a workload of the manifests matches in its own namespace is left out', async (t) => {
  const rule = policy('shop/db', {
    ...both,
    podSelector: app('db'),
    ingress: [{ from: [{ podSelector: app('web') }], ports: ports(5432) }],
  });
  const free = policy('shop/web', { ...both, podSelector: app('web'), egress: [{ to: [{ podSelector: {} }] }] });
  t.same(
    listed({ pods: [db, web], policies: [rule, free] }).filter((line) => line.endsWith('5432')),
    [],
  );
  t.same(listed({ pods: [db], policies: [rule] }), [
    'any pod with app=web in namespace shop -> shop/db allowed TCP 5432',
  ]);
  const anywhere = policy('shop/db', {
    ...both,
    podSelector: app('db'),
    ingress: [{ from: [{ namespaceSelector: {}, podSelector: app('web') }] }],
  });
  t.same(listed({ pods: [db, web], policies: [anywhere, closed] }), [
    'any pod with app=web -> shop/db allowed all connections',
  ]);
});

t.test('a pod without an owner does not count as other pods of its namespace', async (t) => {
  const every = [{ podSelector: {} }];
  const rule = policy('shop/db', { ...both, ingress: [{ from: every }], egress: [{ to: every }] });
  const alone = pod('shop/db', { app: 'db' });
  t.same(listed({ pods: [alone], policies: [rule] }), [
    'shop/db -> any pod in namespace shop allowed all connections',
    'any pod in namespace shop -> shop/db allowed all connections',
  ]);
  t.same(listed({ pods: [db], policies: [rule] }), []);
});

t.test('an end that no pod can be is left out', async (t) => {
  const contradiction = { matchLabels: { app: 'x' }, matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] };
  const nameless = { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'DoesNotExist' }] };
  const otherTeam = { matchLabels: { 'kubernetes.io/metadata.name': 'shop', team: 'other' } };
  const from = [{ podSelector: contradiction }, { namespaceSelector: nameless }, { namespaceSelector: otherTeam }];
  const rule = policy('shop/db', { ...both, ingress: [{ from }] });
  t.same(listed({ pods: [db], policies: [rule] }), []);
});

t.test('pods that an earlier Deny matches are excepted, with their own end for the rest', async (t) => {
  const deny = clusterPolicy('cnp/deny', {
    ingress: [
      {
        action: 'Deny',
        from: [{ namespaces: { matchLabels: { tenant: 'z' } } }],
        protocols: [{ tcp: { destinationPort: { number: 80 } } }],
      },
    ],
  });
  const open = policy('shop/open', { ...both, ingress: [{ ports: [...ports(80), ...ports(81)] }] });
  t.same(listed({ pods: [db], policies: [deny, open] }), [
    'any pod, except pods in namespaces with tenant=z -> shop/db allowed TCP 80-81',
    'any pod in namespaces with tenant=z -> shop/db allowed TCP 81',
  ]);
  const onlyZ = policy('shop/open', {
    ...both,
    ingress: [{ from: [{ namespaceSelector: { matchLabels: { tenant: 'z' } } }], ports: ports(80) }],
  });
  t.same(listed({ pods: [db], policies: [deny, onlyZ] }), []);
});

t.test('the port names of pods outside the manifests are shown as names', async (t) => {
  const rule = policy('shop/db', {
    ...both,
    egress: [
      { to: [named('a')], ports: [...ports('http'), ...ports(443)] },
      { to: [named('b')], ports: ports(80) },
    ],
  });
  t.same(listed({ pods: [db], policies: [rule] }), [
    'shop/db -> any pod in namespaces with kubernetes.io/metadata.name=a allowed TCP 443,port named http',
    'shop/db -> any pod in namespaces with kubernetes.io/metadata.name=b allowed TCP 80',
  ]);
  const deny = clusterPolicy('cnp/deny', {
    egress: [{ action: 'Deny', to: [{ namespaces: {} }], protocols: [{ tcp: { destinationPort: { number: 25 } } }] }],
  });
  t.equal(
    listed({ pods: [db], policies: [rule, deny] })[1],
    'shop/db -> any pod in namespaces with kubernetes.io/metadata.name=a unknown TCP port named http',
  );
});

t.test('an ipBlock makes any pod unknown, because the address of such a pod is not known', async (t) => {
  const rule = policy('shop/db', {
    ...both,
    ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: ports(80) }],
  });
  t.same(listed({ pods: [db], policies: [rule] }), ['any pod -> shop/db unknown TCP 80']);
});

t.test('a change of a selector closes one end and opens another, and an equal rule changes nothing', async (t) => {
  const from = (name: string) => policy('shop/db', { ...both, ingress: [{ from: [named(name)], ports: ports(5432) }] });
  const state = (one: Policy) => ({ pods: [db], policies: [one] });
  t.same(changed(state(from('a')), state(from('b'))), [
    'closed any pod in namespaces with kubernetes.io/metadata.name=a -> shop/db TCP 5432',
    'opened any pod in namespaces with kubernetes.io/metadata.name=b -> shop/db TCP 5432',
  ]);
  t.same(changed(state(from('a')), state(from('a'))), []);
});

t.test('a change opens a named port, and only that', async (t) => {
  const to = (...list: object[]) => policy('shop/db', { ...both, egress: [{ to: [named('a')], ports: list }] });
  const state = (one: Policy) => ({ pods: [db], policies: [one] });
  t.same(changed(state(to(...ports(80))), state(to(...ports(80), ...ports('http')))), [
    'opened shop/db -> any pod in namespaces with kubernetes.io/metadata.name=a TCP port named http',
  ]);
});

t.test('a rule and its workload that come together are one change: that of the workload', async (t) => {
  const rule = policy('shop/db', {
    ...both,
    podSelector: app('db'),
    ingress: [{ from: [{ podSelector: app('web') }], ports: ports(5432) }],
  });
  const free = policy('shop/web', { ...both, podSelector: app('web'), egress: [{ ports: ports(5432) }] });
  t.same(
    changed({ pods: [db], policies: [closed] }, { pods: [db, web], policies: [rule, free] }).filter((line) =>
      line.includes('shop/db'),
    ),
    [],
  );
  t.same(changed({ pods: [db, web], policies: [closed] }, { pods: [db], policies: [rule] }), [
    'opened any pod with app=web in namespace shop -> shop/db TCP 5432',
  ]);
});

t.test('selectors that have too many combinations make the end unknown, not wrong', async (t) => {
  const rules = Array.from({ length: 12 }, (_, index) => ({
    action: 'Deny',
    from: [{ namespaces: { matchLabels: { [`key-${index}`]: 'x' } } }],
    protocols: [{ tcp: { destinationPort: { number: 1000 + 2 * index } } }],
  }));
  const lines = listed({ pods: [db], policies: [clusterPolicy('cnp/many', { ingress: rules })] });
  t.same(lines, ['shop/db -> any pod undeclared all connections', 'any pod -> shop/db unknown all connections']);
});

t.test('the whole cluster has no other pods', async (t) => {
  const state = stateOf({ pods: [db], policies: [] });
  const lines = [...connectivity(state, defaultPolicyOptions, { ...everything, wholeCluster: true })];
  t.ok(lines.length > 0);
  t.same(lines.filter(isOther), []);
});

t.test('an end has its line if the own policies of every matching workload allow less', async (t) => {
  const job = template('back/job', { app: 'job' });
  const pods = [web, job];
  const shut = policy('shop/web', both);
  const opened = policy('shop/web', { ...both, ingress: [{ from: [named('back')], ports: ports(8050) }] });
  const limits = {
    'denied all egress': policy('back/job', both),
    'allowed other ports': policy('back/job', { ...both, egress: [{ ports: ports(9) }] }),
    'allowed other peers': policy('back/job', { ...both, egress: [{ to: [named('other')] }] }),
  };
  for (const [name, limit] of Object.entries(limits)) {
    const end = 'any pod in namespaces with kubernetes.io/metadata.name=back -> shop/web';
    t.same(
      changed({ pods, policies: [shut, limit] }, { pods, policies: [opened, limit] }),
      [`opened ${end} TCP 8050`],
      name,
    );
    t.same(
      listed({ pods, policies: [opened, limit] }).filter((line) => line.includes('shop/web')),
      [`${end} allowed TCP 8050`],
    );
  }
  const same = policy('back/job', { ...both, egress: [{ ports: ports(8050) }] });
  t.same(
    listed({ pods, policies: [opened, same] }).filter((line) => line.includes('=back')),
    [],
  );
  const free = template('back/free', { app: 'free' });
  const limit = policy('back/job', { ...both, podSelector: app('job') });
  t.same(
    listed({ pods: [web, job, free], policies: [opened, limit] }).filter((line) => line.includes('=back')),
    [],
    'another workload has the line',
  );
});

t.test('an end of an egress rule has its line if the matching workload allows less ingress', async (t) => {
  const job = template('back/job', { app: 'job' }, { ports: { http: 8050 } });
  const pods = [web, job];
  const limit = policy('back/job', both);
  const end = 'shop/web -> any pod in namespaces with kubernetes.io/metadata.name=back';
  const shut = policy('shop/web', both);
  const opened = policy('shop/web', { ...both, egress: [{ to: [named('back')], ports: ports(8050) }] });
  t.same(changed({ pods, policies: [shut, limit] }, { pods, policies: [opened, limit] }), [`opened ${end} TCP 8050`]);
  const byName = policy('shop/web', { ...both, egress: [{ to: [named('back')], ports: ports('http') }] });
  t.same(listed({ pods, policies: [byName, limit] }), [`${end} allowed TCP port named http`]);
  const takes = policy('back/job', { ...both, ingress: [{ ports: ports(8050) }] });
  t.same(
    listed({ pods, policies: [byName, takes] }).filter((line) => line.startsWith('shop/web')),
    [],
  );
  const nameless = template('back/job', { app: 'job' });
  t.same(
    listed({ pods: [web, nameless], policies: [byName, takes] }).filter((line) => line.startsWith('shop/web')),
    [`${end} allowed TCP port named http`],
  );
});

t.test('an end in the namespace of its policy has its line if the matching workload allows less', async (t) => {
  const cron = template('shop/cron', { app: 'cron', version: '1' });
  const limit = policy('shop/cron', { podSelector: { matchLabels: { version: '1' } }, policyTypes: ['Egress'] });
  const rule = policy('shop/web', {
    ...both,
    podSelector: app('web'),
    ingress: [{ from: [{ podSelector: app('cron') }], ports: ports(8050) }],
  });
  t.same(
    listed({ pods: [web, cron], policies: [rule, limit] }).filter((line) => line.includes('shop/web')),
    ['any pod with app=cron in namespace shop -> shop/web allowed TCP 8050'],
  );
});
