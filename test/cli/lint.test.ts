import t from 'tap';
import { type LintFlags, lintCommand, runLint } from '../../cli/lint.ts';
import { folder } from '../cluster/manifests/folders.ts';
import { Kept } from '../scene/kept.ts';

type Ran = { code: number; stdout: string; stderr: string };

async function run(flags: Partial<LintFlags> & { cluster: string }): Promise<Ran> {
  const [stdout, stderr] = [new Kept(), new Kept()];
  const code = await runLint({ output: 'compact', color: 'never', ...flags }, { stdout, stderr });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

const policies = {
  'pods.yaml': [
    'apiVersion: v1',
    'kind: Pod',
    'metadata: { name: web, namespace: shop, labels: { app: web } }',
    '---',
    'apiVersion: v1',
    'kind: Pod',
    'metadata: { name: probe, namespace: ops }',
  ].join('\n'),
  'policies.yaml': [
    'apiVersion: networking.k8s.io/v1',
    'kind: NetworkPolicy',
    'metadata: { name: web, namespace: shop }',
    'spec:',
    '  podSelector: { matchLabels: { app: web } }',
    '  egress:',
    '    - ports:',
    '        - port: 443',
    '        - port: 53',
    '    - to:',
    '        - podSelector: { matchLabels: { app: db } }',
  ].join('\n'),
};

const open =
  'policies.yaml:7: medium open-egress: NetworkPolicy shop/web spec.egress[0]: it allows egress to everyone on TCP 443, ' +
  'TCP 53; name the destinations, or give the reason in the annotation waybill.io/reason';
const udp =
  'policies.yaml:9: medium probably-udp: NetworkPolicy shop/web spec.egress[0].ports[1]: ' +
  'port 53 without protocol means TCP, and DNS usually uses UDP; set protocol: UDP, or protocol: TCP if that is meant';

t.test('a folder without relevant objects is a problem, not a folder without complaints', async (t) => {
  const { path } = folder(t, { 'a.yaml': '{ apiVersion: v1, kind: ConfigMap, metadata: { name: c, namespace: x } }' });
  const { code, stderr } = await run({ cluster: path, failOn: 'any' });
  t.equal(code, 2);
  t.match(stderr, /^nothing-to-read: .*: found no objects to evaluate \(ignored 1 of other kinds\); give /);
});

t.test('each complaint is one line with file, line, policy, field, fault and fix; exit code 0', async (t) => {
  const { path } = folder(t, policies);
  const { code, stdout, stderr } = await run({ cluster: path });
  t.same(stdout.trimEnd().split('\n').toSorted(), [
    'pods.yaml:5: medium no-policy: Pod ops/probe: namespace ops has pods but no policy, so all traffic passes; ' +
      'start with a NetworkPolicy that selects all its pods and allows nothing',
    'policies.yaml:11: low matches-nothing: NetworkPolicy shop/web spec.egress[1].to[0]: there are no pods with app=db ' +
      'in namespace shop in this folder, so the rule matches nothing; correct the selector, or add the missing manifests',
    open,
    udp,
  ]);
  t.equal(stderr, '4 complaints (medium 3, low 1), 1 policy read\n');
  t.equal(code, 0);
});

t.test('the table has the fault and the fix below each row', async (t) => {
  const { path } = folder(t, policies);
  const { stdout } = await run({ cluster: path, output: 'table', rule: ['probably-udp'] });
  t.equal(
    stdout,
    [
      'SEVERITY  RULE          PLACE            OBJECT                  FIELD',
      'medium    probably-udp  policies.yaml:9  NetworkPolicy shop/web  spec.egress[0].ports[1]',
      `    ${udp.slice(udp.indexOf('port 53'))}`,
      '',
    ].join('\n'),
  );
});

t.test('json is an array, jsonl has one object a line, and both are empty without complaints', async (t) => {
  const { path } = folder(t, policies);
  const json = JSON.parse((await run({ cluster: path, output: 'json' })).stdout) as unknown[];
  const jsonl = (await run({ cluster: path, output: 'jsonl' })).stdout.trimEnd().split('\n');
  t.same(
    jsonl.map((line) => JSON.parse(line)),
    json,
  );
  t.match(json[2], { rule: 'probably-udp', namespace: 'shop', file: 'policies.yaml', line: 9 });
  t.equal((await run({ cluster: path, output: 'json', namespace: ['none'] })).stdout, '[]\n');
  t.equal((await run({ cluster: path, output: 'jsonl', namespace: ['none'] })).stdout, '');
});

t.test('--rule, --skip and --namespace select complaints, and --fail-on counts only these', async (t) => {
  const { path } = folder(t, policies);
  const shown = async (flags: Partial<Omit<LintFlags, 'cluster'>>) => {
    const { stdout, code } = await run({ cluster: path, ...flags });
    return `${[...stdout.matchAll(/: (?:high|medium|low) ([a-z-]+):/g)].map(([, rule]) => rule).join(' ')} ${code}`;
  };
  t.equal(await shown({ rule: ['no-policy', 'matches-nothing'] }), 'no-policy matches-nothing 0');
  t.equal(await shown({ skip: ['no-policy'] }), 'open-egress probably-udp matches-nothing 0');
  t.equal(await shown({ namespace: ['ops'] }), 'no-policy 0');
  t.equal(await shown({ failOn: 'medium' }), 'no-policy open-egress probably-udp matches-nothing 1');
  t.equal(await shown({ failOn: 'high' }), 'no-policy open-egress probably-udp matches-nothing 0');
  t.equal(await shown({ failOn: 'any', rule: ['matches-nothing'] }), 'matches-nothing 1');
  t.equal(await shown({ failOn: 'any', rule: ['shadowed'] }), ' 0');
});

t.test('an unknown rule and a missing folder are problems with their fix', async (t) => {
  const { path } = folder(t, policies);
  await t.rejects(run({ cluster: path, skip: ['shadows'] }), {
    message: /^bad-flag: --skip shadows: unknown rule "shadows"; use ambient-mesh, .*, undefined-ports$/,
  });
  await t.rejects(run({ cluster: `${path}/none` }), { message: /^cannot-read: / });
});

t.test('a broken policy is a complaint, and any other broken object is a line on stderr', async (t) => {
  const { path } = folder(t, {
    'a.yaml': policies['policies.yaml'].replace('port: 443', 'port: 70000'),
    'b.yaml': 'apiVersion: v1\nkind: Pod\nmetadata: { namespace: shop }\n',
  });
  const { stdout, stderr, code } = await run({ cluster: path, failOn: 'any' });
  t.match(stdout, /^a\.yaml:1: high invalid-policy: NetworkPolicy shop\/web: it is not valid: port 70000 .*a\.yaml:8/);
  t.match(stderr, /^missing-field: Pod shop/);
  t.notMatch(stderr, 'bad-port');
  t.equal(code, 2, 'a pod was skipped');
  const { path: only } = folder(t, { 'a.yaml': policies['policies.yaml'].replace('port: 443', 'port: 70000') });
  t.match(await run({ cluster: only, failOn: 'any' }), { code: 1, stderr: /^\d+ complaints?/ });
});

t.test('an unreadable file makes the exit code 2 with any --fail-on, because it may be a policy', async (t) => {
  const tab = 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n\tname: deny\n';
  const chart = { 'Chart.yaml': 'name: c\n', 'templates/a.yaml': 'name: {{ .Release.Name }}\n' };
  const folders: Record<string, string>[] = [{ 'a.yaml': tab }, chart, { ...policies, 'z.yaml': tab }];
  for (const files of folders) {
    const { path } = folder(t, files);
    for (const flags of [{}, { failOn: 'any' as const }, { failOn: 'high' as const }]) {
      t.match(await run({ cluster: path, ...flags }), {
        code: 2,
        stderr: /^(bad-yaml: [az]\.yaml:4|helm-templates): .*; /,
      });
    }
  }
  const { stdout } = await run({ cluster: folder(t, { ...policies, 'z.yaml': tab }).path, rule: ['probably-udp'] });
  t.equal(stdout, `${udp}\n`, 'the other files are checked');
});

t.test('ignored objects are counted by kind, and a misspelled kind is a problem', async (t) => {
  const own = 'metadata: { name: a, namespace: shop }';
  const { path } = folder(t, {
    'a.yaml': `apiVersion: v1\nkind: Secret\n${own}\n`,
    'b.yaml': `apiVersion: networking.k8s.io/v1\nkind: Networkpolicy\n${own}\n`,
  });
  t.same((await run({ cluster: path })).stderr.split('\n'), [
    'unknown-kind: Networkpolicy shop/a (b.yaml:2, kind): unknown kind "Networkpolicy" in API group networking.k8s.io; use NetworkPolicy, Ingress, IngressClass, IPAddress or ServiceCIDR',
    '0 complaints, 0 policies read, ignored 1 object of other kinds (Secret 1)',
    '',
  ]);
});

t.test('--help names every flag and every rule', async (t) => {
  let help = '';
  lintCommand()
    .configureOutput({ writeOut: (text) => (help += text) })
    .outputHelp();
  for (const flag of [
    '--cluster',
    '-n, --namespace',
    '--rule',
    '--skip',
    '--fail-on',
    '-o, --output',
    'no-such-port',
  ]) {
    t.match(help, flag);
  }
});

t.test('the summary names the policies of other APIs, which are not evaluated', async (t) => {
  const { path } = folder(t, {
    'pod.yaml': '{ apiVersion: v1, kind: Pod, metadata: { name: db, namespace: shop } }',
    'db.yaml': `{ apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: { name: db, namespace: shop },
  spec: { endpointSelector: {}, ingress: [{}] } }`,
  });
  const { code, stdout, stderr } = await run({ cluster: path, failOn: 'any' });
  t.same([code, stdout], [0, '']);
  t.equal(stderr, '0 complaints, 0 policies read, 1 policy not evaluated (CiliumNetworkPolicy shop/db)\n');
});
