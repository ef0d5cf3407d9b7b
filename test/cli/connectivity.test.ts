import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type ConnectivityFlags, connectivityCommand, runConnectivity } from '../../cli/connectivity.ts';
import { folder } from '../cluster/manifests/folders.ts';
import { Kept } from '../scene/kept.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const before = `${root}docs/example/shop-before`;
const after = `${root}docs/example/shop-after`;

async function run(flags: Partial<ConnectivityFlags>): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new Kept(), new Kept()];
  const code = await runConnectivity(
    { cluster: before, output: 'table', color: 'never', ...flags },
    { stdout, stderr },
  );
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** `INITIATOR | RESPONDER | …`, without the header. */
async function rows(flags: Partial<ConnectivityFlags>): Promise<string[]> {
  const { stdout } = await run(flags);
  return stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(/ {2,}/).join(' | '));
}

function pod(name: string, labels: string, rest = ''): string {
  return `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, namespace: x, labels: { ${labels} } ${rest}`;
}

t.test('each pair of ends has its own line, and denied connections have none', async (t) => {
  const lines = await rows({ namespace: ['shop'], verdict: ['allowed'] });
  t.same(lines, [
    'shop/web | shop/db | allowed | TCP 5432',
    'outside 0.0.0.0-9.255.255.255, 11.0.0.0-255.255.255.255 | shop/web | allowed | TCP 8080',
  ]);
});

t.test('an uncertain verdict is unknown, with its reason below', async (t) => {
  t.same(await rows({ namespace: ['shop'], verdict: ['unknown'] }), [
    'monitoring/prometheus | shop/web | unknown | TCP 8080',
    ' | a rule could match by address, and the address is not known: NetworkPolicy shop/web',
    'any pod | shop/web | unknown | TCP 8080',
    ' | a rule could match by address, and the address is not known: NetworkPolicy shop/web',
  ]);
});

t.test('a change that opens one port is one line, and --fail-on opened finds it', async (t) => {
  t.same(await rows({ diff: after }), ['opened | monitoring/prometheus | shop/db | denied | allowed | TCP 9187']);
  t.equal((await run({ diff: after, failOn: ['opened'] })).code, 1);
  t.equal((await run({ diff: after, failOn: ['closed', 'uncertain'] })).code, 0);
  const back = { cluster: after, diff: before };
  t.same(await rows(back), ['closed | monitoring/prometheus | shop/db | allowed | denied | TCP 9187']);
  t.equal((await run({ ...back, failOn: ['opened'] })).code, 0);
  t.equal((await run({ ...back, failOn: ['any'] })).code, 1);
});

t.test('equal manifests have no changes, in every format', async (t) => {
  const of = async (output: ConnectivityFlags['output']) =>
    (await run({ diff: before, output, failOn: ['any'] })).stdout;
  t.equal(await of('table'), 'no changes\n');
  t.equal(await of('json'), '[]\n');
  t.equal(await of('jsonl'), '');
  t.match(await of('dot'), /^digraph waybill \{\n(?: {2}.*\n)*\}\n$/);
});

t.test('without --diff, --fail-on takes a verdict', async (t) => {
  t.equal((await run({ failOn: ['undeclared'] })).code, 1);
  t.equal((await run({ failOn: ['undeclared'], namespace: ['shop'] })).code, 0);
});

t.test('json and jsonl hold the same lines', async (t) => {
  const json = JSON.parse((await run({ output: 'json' })).stdout) as unknown[];
  const jsonl = (await run({ output: 'jsonl' })).stdout.trimEnd().split('\n');
  t.same(
    jsonl.map((line) => JSON.parse(line)),
    json,
  );
  t.hasStrict(json.at(-3), {
    initiator: { kind: 'pod', namespace: 'shop', workload: 'web', workloadKind: 'Deployment' },
    responder: { kind: 'pod', namespace: 'shop', workload: 'db', workloadKind: 'StatefulSet' },
    verdict: 'allowed',
    connections: 'TCP 5432',
    protocols: [{ protocol: 'TCP', ports: [{ from: 5432, to: 5432 }] }],
  });
});

const dot = spawnSync('dot', ['-V']).error === undefined;
t.test(
  'Graphviz draws the graph of connections and the graph of changes',
  { skip: !dot && 'Graphviz is not installed' },
  async (t) => {
    for (const flags of [{}, { diff: after }]) {
      const drawn = spawnSync('dot', ['-Tsvg'], {
        input: (await run({ ...flags, output: 'dot' })).stdout,
        encoding: 'utf8',
      });
      t.equal(drawn.status, 0, drawn.stderr);
      t.match(drawn.stdout, '<svg');
    }
  },
);

t.test('every statement of the graph is valid DOT, and every edge leads to a declared node', async (t) => {
  const text = '"(?:[^"\\\\]|\\\\.)*"';
  const attributes = `\\[(?:\\w+=(?:\\w+|${text})(?:, )?)+\\]`;
  const node = new RegExp(`^  (?:subgraph ${text} \\{ label=${text}; )?(p\\d+) ${attributes};(?: \\})?$`);
  const edge = new RegExp(`^  (p\\d+) -> (p\\d+) ${attributes};$`);
  for (const flags of [{}, { diff: after }]) {
    const lines = (await run({ ...flags, output: 'dot' })).stdout.trimEnd().split('\n');
    t.equal(lines.shift(), 'digraph waybill {');
    t.equal(lines.pop(), '}');
    const declared = new Set<string>();
    let edges = 0;
    for (const line of lines.slice(2)) {
      const [, id] = node.exec(line) ?? [];
      const [, from, to] = edge.exec(line) ?? [];
      if (id !== undefined) declared.add(id);
      else t.ok(declared.has(from!) && declared.has(to!), line);
      edges += id === undefined ? 1 : 0;
    }
    t.ok(edges > 0);
  }
});

t.test('pods of one workload with different verdicts have their own lines, and a changed label is shown', async (t) => {
  const owned = 'ownerReferences: [{ apiVersion: apps/v1, kind: StatefulSet, name: w, uid: u, controller: true }]';
  const place = (name: string, role: string, at: string) =>
    `${pod(name, `role: ${role}`, `, ${owned} }`)}, spec: { nodeName: n1, containers: [{ name: c }] }, status: { podIP: ${at} } }`;
  const policy =
    '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: p, namespace: x }, spec: { podSelector: { matchLabels: { role: closed } } } }';
  const [one, other] = [place('w-0', 'open', '10.0.0.1'), place('w-1', 'closed', '10.0.0.2')];
  const cluster = folder(t, { 'all.yaml': [one, other, policy].join('\n---\n') }).path;
  t.same(await rows({ cluster }), [
    'x/w [w-0] | x/w [w-0] | undeclared | all connections',
    'x/w [w-0] | outside 0.0.0.0/0 | undeclared | all connections',
    'outside 0.0.0.0/0 | x/w [w-0] | undeclared | all connections',
    'x/w [w-0] | any pod | undeclared | all connections',
    'any pod | x/w [w-0] | undeclared | all connections',
    'x/w [w-1] | x/w [w-0] | undeclared | all connections',
    'x/w [w-1] | outside 0.0.0.0/0 | undeclared | all connections',
    'x/w [w-1] | any pod | undeclared | all connections',
  ]);
  const changed = folder(t, { 'all.yaml': [one, place('w-1', 'open', '10.0.0.2'), policy].join('\n---\n') }).path;
  t.same(await rows({ cluster, diff: changed, verdict: ['undeclared'] }), [
    'opened | x/w [w-0] | x/w [w-1] | denied | undeclared | all connections',
    'opened | x/w [w-1] | x/w [w-1] | denied | undeclared | all connections',
    'opened | outside 0.0.0.0/0 | x/w [w-1] | denied | undeclared | all connections',
    'opened | any pod | x/w [w-1] | denied | undeclared | all connections',
  ]);
});

t.test('the pods of a StatefulSet without pods are named only if policies distinguish them', async (t) => {
  const stateful = (replicas: number) =>
    `{ apiVersion: apps/v1, kind: StatefulSet, metadata: { name: w, namespace: x }, spec: { replicas: ${replicas}, template: { metadata: { labels: { app: w } }, spec: { containers: [{ name: c }] } } } }`;
  const closed = (label: string) =>
    `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: p, namespace: x }, spec: { policyTypes: [Ingress, Egress], podSelector: { matchLabels: { ${label} } } } }`;
  const at = (...documents: string[]) => folder(t, { 'all.yaml': documents.join('\n---\n') }).path;
  t.same(await rows({ wholeCluster: true, cluster: at(stateful(3), closed('app: other')) }), [
    'x/w | x/w | undeclared | all connections',
    'x/w | outside 0.0.0.0/0, ::/0 | undeclared | all connections',
    'outside 0.0.0.0/0, ::/0 | x/w | undeclared | all connections',
  ]);
  const first = closed('statefulset.kubernetes.io/pod-name: w-0');
  t.same(await rows({ wholeCluster: true, cluster: at(stateful(3), first) }), [
    'x/w [w-1, w-2] | x/w [w-1, w-2] | undeclared | all connections',
    'x/w [w-1, w-2] | outside 0.0.0.0/0, ::/0 | undeclared | all connections',
    'outside 0.0.0.0/0, ::/0 | x/w [w-1, w-2] | undeclared | all connections',
  ]);
  t.same(
    await rows({ wholeCluster: true, cluster: at(stateful(2), first), diff: at(stateful(2), closed('app: other')) }),
    [
      'opened | x/w [w-0] | x/w [w-0] | denied | undeclared | all connections',
      'opened | x/w [w-0] | x/w [w-1] | denied | undeclared | all connections',
      'opened | x/w [w-0] | outside 0.0.0.0/0, ::/0 | denied | undeclared | all connections',
      'opened | outside 0.0.0.0/0, ::/0 | x/w [w-0] | denied | undeclared | all connections',
      'opened | x/w [w-1] | x/w [w-0] | denied | undeclared | all connections',
    ],
  );
});

t.test(
  'a host-network pod of both families is shown by address, and ends without a common family have no line',
  async (t) => {
    const ips = (...all: string[]) => `status: { podIPs: [${all.map((ip) => `{ ip: "${ip}" }`).join()}] } }`;
    const proxy = `${pod('proxy', '', '}')}, spec: { nodeName: n1, hostNetwork: true, containers: [{ name: c }] }, ${ips('192.0.2.1', 'fd00::1')}`;
    const web = `${pod('web', 'app: web', '}')}, spec: { nodeName: n2, containers: [{ name: c }] }, ${ips('fd01::5')}`;
    const policy =
      '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: p, namespace: x }, spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "fd00::/64" } }] }] } }';
    const cluster = folder(t, { 'all.yaml': [proxy, web, policy].join('\n---\n') }).path;
    t.same(
      (await rows({ cluster })).filter((row) => row.includes('x/web') && row.includes('x/proxy')),
      [
        'x/proxy [proxy] at fd00::1 | x/web | allowed | all connections',
        'x/web | x/proxy [proxy] at fd00::1 | undeclared | all connections',
      ],
    );
    const json = JSON.parse((await run({ cluster, output: 'json', verdict: ['allowed'] })).stdout);
    t.match(json[0].initiator, { kind: 'host', workload: 'proxy', pods: ['proxy'], ips: ['fd00::1'] });
  },
);

t.test('external addresses are split by the domain names of a policy, and unknown without a name', async (t) => {
  const web = `${pod('web', 'app: web', '}')}, spec: { containers: [{ name: c }] }, status: { podIP: 10.0.0.1 } }`;
  const rules =
    '[{ action: Accept, to: [{ domainNames: ["*.example.com"] }] }, { action: Deny, to: [{ networks: [0.0.0.0/0] }] }]';
  const policy = `{ apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: { name: out }, spec: { tier: Admin, priority: 1, subject: { namespaces: {} }, egress: ${rules} } }`;
  const lines = await rows({ cluster: folder(t, { 'all.yaml': `${web}\n---\n${policy}` }).path });
  t.same(
    lines.filter((line) => line.startsWith('x/web')),
    [
      'x/web | outside 0.0.0.0/0 (named *.example.com) | allowed | all connections',
      'x/web | outside 0.0.0.0/0 (no name seen) | unknown | all connections',
    ],
  );
  t.match(lines.join('\n'), /name resolution not visible/);
});

t.test('a wrong flag, path or option is a problem', async (t) => {
  await t.rejects(run({ verdict: ['denied'] }), {
    message: /^bad-flag: --verdict denied: .*allowed, undeclared, unknown$/,
  });
  await t.rejects(run({ failOn: ['opened'] }), { message: /^bad-flag: --fail-on opened: / });
  await t.rejects(run({ diff: after, failOn: ['unknown'] }), { message: /^bad-flag: --fail-on unknown: / });
  await t.rejects(run({ diff: `${root}nowhere` }), { message: /^cannot-read: / });
  await t.rejects(run({ option: ['declaredBy=some'] }), { message: /^bad-option-value: / });
});

t.test('the command reads its flags, and sets the exit code', async (t) => {
  const [stdout, stderr] = [new Kept(), new Kept()];
  const flags = ['--cluster', before, '--diff', after, '-n', 'shop,other', '--fail-on', 'closed,opened', '-o', 'jsonl'];
  await connectivityCommand({ stdout, stderr }).parseAsync(flags, { from: 'user' });
  t.equal(process.exitCode, 1);
  process.exitCode = 0;
  t.equal(JSON.parse(stdout.text).change, 'opened');
});

t.test('manifests without workloads are reported as such, not as denied connections', async (t) => {
  const nothing = folder(t).path;
  t.equal((await run({ cluster: nothing })).stdout, `no workloads found in ${nothing}\n`);
  const config = '{ apiVersion: v1, kind: ConfigMap, metadata: { name: c, namespace: x } }';
  const { path } = folder(t, { 'a.yaml': config });
  const ran = await run({ cluster: path });
  t.equal(ran.stdout, `no workloads found in ${path} (ignored 1 object of other kinds (ConfigMap 1))\n`);
  t.equal((await run({ namespace: ['shpo'] })).stdout, `no workloads in namespace shpo found in ${before}\n`);
  t.match(await run({ cluster: nothing, output: 'json' }), {
    code: 2,
    stdout: '[]\n',
    stderr: `nothing-to-read: ${nothing}: found no objects to evaluate; `,
  });
  t.match(await run({ diff: nothing, verdict: ['allowed'] }), {
    code: 0,
    stderr: `no workloads found in ${nothing}\n`,
  });
});

t.test('an empty table says whether everything is denied or nothing matches the filter', async (t) => {
  const own = { apiVersion: 'networking.k8s.io/v1', metadata: { name: 'p', namespace: 'x' } };
  const closed = { ...own, kind: 'NetworkPolicy', spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] } };
  const { path } = folder(t, {
    'a.yaml': `${pod('a', 'app: a', '}, spec: { containers: [] } }')}\n---\n${JSON.stringify(closed)}`,
  });
  t.equal((await run({ cluster: path })).stdout, 'no connections: all are denied\n');
  t.equal(
    (await run({ namespace: ['monitoring'], verdict: ['allowed'], cluster: path })).stdout,
    `no workloads in namespace monitoring found in ${path}\n`,
  );
  t.equal(
    (await run({ cluster: path, verdict: ['allowed', 'unknown'] })).stdout,
    'no connections that are allowed or unknown\n',
  );
});

t.test('ignored kinds are counted in one line on stderr', async (t) => {
  const other = (kind: string, name: string) =>
    `{ apiVersion: example.com/v1, kind: ${kind}, metadata: { name: ${name} } }`;
  const { path } = folder(t, { 'a.yaml': [other('Ab', 'a'), other('Cd', 'a'), other('Cd', 'b')].join('\n---\n') });
  t.match(
    (await run({ cluster: path })).stderr,
    `${path}: ignored 3 objects of other kinds (Cd.example.com 2, Ab.example.com 1)\n`,
  );
});

t.test('an unreadable manifest on either side makes the exit code 2, and the rest is listed', async (t) => {
  const broken = folder(t, {
    'a.yaml': pod('a', 'app: a', '}, spec: { containers: [] } }'),
    'b.yaml': 'kind: [\n',
  }).path;
  const ran = await run({ cluster: broken, failOn: ['any'] });
  t.match(ran, {
    code: 2,
    stdout: /^x\/a +outside 0\.0\.0\.0\/0/m,
    stderr: /^bad-yaml: b\.yaml:1: .*; fix the syntax$/m,
  });
  t.equal((await run({ cluster: broken })).code, 2);
  t.equal((await run({ cluster: before, diff: broken })).code, 2);
});

const monitored =
  '{ apiVersion: apps/v1, kind: Deployment, metadata: { name: api, namespace: ledger }, spec: { template: { metadata: { labels: { app: api } }, spec: { containers: [{ name: c }] } } } }';

function ledgerPolicy(rest: string): string {
  return `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: api, namespace: ledger }, spec: { podSelector: {}, policyTypes: [Ingress, Egress]${rest} } }`;
}

t.test('a change that opens a port to pods outside the folder is a line, and --fail-on opened finds it', async (t) => {
  const shut = folder(t, { 'all.yaml': `${monitored}\n---\n${ledgerPolicy('')}` }).path;
  const from =
    '{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: monitoring } } }, { podSelector: { matchLabels: { app: probe } }, namespaceSelector: { matchLabels: { team: sre } } }';
  const rules = `, ingress: [{ from: [${from}], ports: [{ port: 9090 }] }]`;
  const open = folder(t, { 'all.yaml': `${monitored}\n---\n${ledgerPolicy(rules)}` }).path;
  t.equal((await run({ cluster: shut })).stdout, 'no connections: all are denied\n');
  t.same(await rows({ cluster: shut, diff: open }), [
    'opened | any pod in namespaces with kubernetes.io/metadata.name=monitoring | ledger/api | denied | allowed | TCP 9090',
    'opened | any pod with app=probe in namespaces with team=sre | ledger/api | denied | allowed | TCP 9090',
  ]);
  t.equal((await run({ cluster: shut, diff: open, failOn: ['opened'] })).code, 1);
  t.equal((await run({ cluster: shut, diff: open, failOn: ['opened'], wholeCluster: true })).code, 0);
  t.match(await rows({ cluster: open, diff: shut }), [/^closed \| any pod in/, /^closed \| any pod with app=probe/]);
  t.equal((await run({ cluster: open, diff: shut, failOn: ['opened'] })).code, 0);
  t.equal((await run({ cluster: open, diff: shut, failOn: ['closed'] })).code, 1);
  t.equal((await rows({ cluster: open, namespace: ['monitoring'] })).length, 1, 'the namespace of such an end');
  const [one] = JSON.parse((await run({ cluster: open, output: 'json' })).stdout);
  t.same(one.initiator, {
    kind: 'other-pods',
    text: 'any pod in namespaces with kubernetes.io/metadata.name=monitoring',
    namespaces: ['monitoring'],
    namespaceSelector: 'kubernetes.io/metadata.name=monitoring',
  });
  t.match((await run({ cluster: open, output: 'dot' })).stdout, /label="any pod with app=probe .*", style=dashed/);
});
