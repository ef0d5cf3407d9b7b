// Several paths of manifests are read together, on every command that takes them.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { folder } from '../cluster/manifests/folders.ts';
import { pcapFile } from '../scene/captures.ts';
import { ingressPolicy, shop } from '../scene/pipeline.ts';
import { all, run as replay, replayScene } from '../scene/replay.ts';

const waybill = new URL('../../cli/waybill.ts', import.meta.url).pathname;

function run(args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [waybill, ...args], { input, encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

const pod = (name: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: shop, labels: {app: ${name}}}\nspec: {containers: []}\n`;
const policy = (spec: string) =>
  `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: db, namespace: shop}\nspec: ${spec}\n`;
const denyAll = policy('{podSelector: {}, policyTypes: [Ingress, Egress]}');
const allowIngress = policy('{podSelector: {}, ingress: [{}]}');

function folders(t: Test) {
  const { path } = folder(t, {
    'apps/all.yaml': `${pod('web')}---\n${pod('db')}`,
    'deny/all.yaml': denyAll,
    'allow/all.yaml': allowIngress,
    'empty/README.md': 'nothing',
  });
  const at = (name: string) => join(path, name);
  return { at, apps: at('apps'), deny: at('deny'), allow: at('allow') };
}

const question = ['verdict', '--from', 'shop/web', '--to', 'shop/db', '--port', '80', '-o', 'jsonl'];
const cluster = (...paths: string[]) => paths.flatMap((path) => ['--cluster', path]);

t.test('verdict reads all paths, in any order', async (t) => {
  const { apps, deny } = folders(t);
  for (const paths of [
    [apps, deny],
    [deny, apps],
  ])
    t.match(run([...question, ...cluster(...paths)]), { code: 0, out: /"verdict":"denied"/, err: '' });
});

t.test('of an object in two paths the later definition counts, and the warning names both files', async (t) => {
  const { at, apps, deny, allow } = folders(t);
  const warning = (later: string, earlier: string) =>
    `duplicate-object: NetworkPolicy shop/db (${at(later)}/all.yaml:1): this definition replaces the one in ${at(earlier)}/all.yaml:1; remove one of the two definitions\n`;
  t.match(run([...question, ...cluster(apps, deny, allow)]), {
    code: 0,
    out: /"verdict":"allowed"/,
    err: warning('allow', 'deny'),
  });
  t.match(run([...question, ...cluster(allow, deny, apps)]), {
    code: 0,
    out: /"verdict":"denied"/,
    err: warning('deny', 'allow'),
  });
});

t.test('a file, stdin and a folder are read together; stdin only once', async (t) => {
  const { at, deny, apps } = folders(t);
  const both = run([...question, ...cluster('-', join(apps, 'all.yaml'))], denyAll);
  t.match(both, { code: 0, out: /"verdict":"denied"/, err: '' });
  const duplicate = run([...question, ...cluster(apps, join(deny, 'all.yaml'), '-')], allowIngress);
  t.match(
    duplicate.err,
    `NetworkPolicy shop/db (stdin:1): this definition replaces the one in ${at('deny')}/all.yaml:1`,
  );
  t.match(run([...question, ...cluster('-', '-')]), {
    code: 2,
    err: /^bad-flag: -: stdin can be read only once; give files or folders for the others$/m,
  });
  t.match(run(['connectivity', '--cluster', '-', '--diff', '-']), { code: 2, err: /^bad-flag: -: / });
  t.match(run(['verdict', '--batch', ...cluster(apps, '-')]), { code: 2, err: /^bad-flag: --cluster -: / });
});

t.test('a missing path fails the command; a path without objects is a warning beside others', async (t) => {
  const { at, apps } = folders(t);
  t.match(run([...question, ...cluster(apps, at('gone'))]), { code: 2, err: /^cannot-read: .*gone: no such file/ });
  t.match(run([...question, ...cluster(apps, at('empty'))]), {
    code: 0,
    out: /"verdict":"undeclared"/,
    err: /^nothing-to-read: .*empty: /,
  });
  t.match(run(['lint', ...cluster(at('empty'), at('empty'))]), { code: 2, err: /^nothing-to-read: .*empty: / });
});

t.test('connectivity reads all paths of both sides', async (t) => {
  const { apps, deny, allow } = folders(t);
  t.match(run(['connectivity', ...cluster(deny, apps)]), { code: 0, out: 'no connections: all are denied\n' });
  const diff = (paths: string[]) => paths.flatMap((path) => ['--diff', path]);
  const opened = run(['connectivity', ...cluster(apps, deny), ...diff([apps, allow]), '-n', 'shop', '-o', 'jsonl']);
  t.match(opened.out, /"change":"opened"/);
  t.equal(run(['connectivity', ...cluster(apps, deny), ...diff([deny, apps]), '-o', 'jsonl']).out, '');
});

t.test('lint reads all paths, and names files with their path', async (t) => {
  const { at, apps, allow } = folders(t);
  const found = run(['lint', ...cluster(apps, allow, at('empty')), '-o', 'jsonl', '--rule', 'no-policy']);
  t.match(found, { code: 0, out: '', err: /0 complaints, 1 policy read/ });
  const alone = run(['lint', ...cluster(apps, at('empty')), '-o', 'jsonl', '--rule', 'no-policy']);
  t.equal(JSON.parse(alone.out).file, `${at('apps')}/all.yaml`);
});

t.test('charts, kustomizations and patches of each path are found there', async (t) => {
  const { path } = folder(t, {
    'one/Chart.yaml': 'name: x\n',
    'one/templates/a.yaml': 'kind: Pod\nname: {{ .x }}\n',
    'two/kustomization.yaml': 'namePrefix: x-\npatches: [{path: p.yaml}]\n',
    'two/p.yaml': pod('patched'),
    'two/web.yaml': pod('web'),
  });
  const [one, two] = [join(path, 'one'), join(path, 'two')];
  const { err, out } = run(['connectivity', ...cluster(one, two), '-o', 'jsonl']);
  t.match(err, `helm-templates: ${one}/Chart.yaml: found 1 unrendered Helm template; run helm template ${one} and`);
  t.match(err, `kustomization-not-built: ${two}/kustomization.yaml: `);
  t.match(err, `run kubectl kustomize ${two} and`);
  t.notMatch(out, /patched/);
});

t.test('replay reads all paths of --cluster and of --declared', async (t) => {
  const { some, file } = replayScene(t, pcapFile(all));
  const pods = file('pods.yaml', shop);
  const isolated = file('policies.yaml', ingressPolicy('db', ''));
  const open = file('open.yaml', ingressPolicy('db', 'web'));
  t.match((await replay(some, ...cluster(pods, isolated), '-o', 'jsonl')).out, /"kind":"bypass"/);
  const declared = await replay(
    some,
    ...cluster(pods, isolated),
    '--declared',
    isolated,
    '--declared',
    open,
    '-o',
    'jsonl',
  );
  t.match(declared.out, /"kind":"drift"/);
  t.match(declared.err.join('\n'), /duplicate-object: NetworkPolicy shop\/db \(.*open.yaml:\d+\)/);
});
