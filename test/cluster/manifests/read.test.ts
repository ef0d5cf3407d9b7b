import { symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseManifest } from '../../../cluster/manifests/manifest.ts';
import { readManifests } from '../../../cluster/manifests/read.ts';
import { type ClusterObject, objectKey } from '../../../model/kubernetes.ts';
import { problemLine } from '../../../model/problem.ts';
import { folder, namespace } from './folders.ts';

const keys = (objects: readonly ClusterObject[]) => objects.map(objectKey);
const read = (text: string, name = 'x.yaml') => {
  const { entries, problems, ignored } = parseManifest(text, name);
  return { keys: keys(entries.map((entry) => entry.object)), lines: problems.map(problemLine), ignored };
};

t.test('a folder is read with its subfolders, without hidden files and other file types', async (t) => {
  const { path } = folder(t, {
    'a.yaml': namespace('a'),
    'deep/er/b.yml': namespace('b'),
    'c.json': '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"c"}}',
    'README.md': namespace('no'),
    '.git/d.yaml': namespace('no'),
    '.hidden.yaml': namespace('no'),
  });
  const { objects, problems, ignored } = await readManifests(path);
  t.same(keys(objects).sort(), ['Namespace//a', 'Namespace//b', 'Namespace//c']);
  t.same([problems, ignored], [[], 0]);
});

t.test('a file is read by its path, whatever its name', async (t) => {
  const { path } = folder(t, { dump: namespace('a') });
  t.same(keys((await readManifests(join(path, 'dump'))).objects), ['Namespace//a']);
});

t.test('links are followed, except a link to a parent folder', async (t) => {
  const { path } = folder(t, { 'real/a.yaml': namespace('a') });
  symlinkSync(join(path, 'real', 'a.yaml'), join(path, 'b.yaml'));
  symlinkSync(path, join(path, 'real', 'loop'));
  const { objects, problems } = await readManifests(path);
  t.same(keys(objects), ['Namespace//a']);
  t.match(problems, [{ code: 'duplicate-object' }]);
});

t.test('a missing path is a ProblemError that says what to do', async (t) => {
  await t.rejects(readManifests('/nowhere/at-all'), {
    message:
      'cannot-read: /nowhere/at-all: no such file or folder; give the path of a manifest or of a folder with manifests',
  });
});

t.test('a broken link is a problem, and the other files are read', async (t) => {
  const { path } = folder(t, { 'a.yaml': namespace('a') });
  symlinkSync('gone', join(path, 'b.yaml'));
  const { objects, problems } = await readManifests(path);
  t.same(keys(objects), ['Namespace//a']);
  t.match(problems, [{ code: 'cannot-read', place: 'b.yaml' }]);
});

t.test(
  'several documents, lists and typed lists are read; objects of other kinds are ignored and counted',
  async (t) => {
    const text = [
      '# only a comment',
      namespace('a'),
      'kind: ConfigMap\napiVersion: v1\nmetadata: {name: x}',
      'kind: PodList\napiVersion: v1\nitems:\n- metadata: {name: p, namespace: a}\n- metadata: {name: q, namespace: a}',
      `kind: List\napiVersion: v1\nitems:\n- {kind: Secret, apiVersion: v1, metadata: {name: s}}\n- {kind: Node, apiVersion: v1, metadata: {name: n1}}`,
      'replicas: 3\nimage: {tag: x}',
      '',
    ].join('\n---\n');
    t.same(read(text), { keys: ['Namespace//a', 'Pod/a/p', 'Pod/a/q', 'Node//n1'], lines: [], ignored: 3 });
  },
);

t.test('ignored Kubernetes objects are counted by kind', async (t) => {
  const { path } = folder(t, {
    'a.yaml':
      'kind: ConfigMap\napiVersion: v1\n---\nkind: Ingress\napiVersion: networking.k8s.io/v1\n---\nreplicas: 3\n',
    'b.yaml':
      'kind: ConfigMapList\napiVersion: v1\nitems: [{}, {}]\n---\nkind: Values\n---\nkind: "\\e[31m"\napiVersion: v1\n',
  });
  const { ignored, otherKinds } = await readManifests(path);
  t.equal(ignored, 7);
  t.same(
    [...otherKinds],
    [
      ['ConfigMap', 3],
      ['Ingress.networking.k8s.io', 1],
    ],
  );
});

t.test('a file may have several JSON documents', async (t) => {
  const one = (name: string) => `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"${name}"}}`;
  t.same(read(`${one('a')}\n${one('b')}\n`).keys, ['Namespace//a', 'Namespace//b']);
  t.same(read(`${one('a')}\n---\n${one('b')}\n`).keys, ['Namespace//a', 'Namespace//b']);
});

t.test('anchors and merge keys work', async (t) => {
  const text = `kind: List
items:
- &web
  apiVersion: v1
  kind: Namespace
  metadata: &meta {name: a, labels: {team: x}}
- <<: *web
  metadata: {<<: *meta, name: b}
`;
  const { entries } = parseManifest(text, 'x.yaml');
  t.match(entries, [{ object: { name: 'a' } }, { object: { name: 'b', labels: { team: 'x' } } }]);
});

t.test('a fault is reported with file, line and field, in every document of the file', async (t) => {
  const policy = (port: string) => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
  namespace: shop
spec:
  podSelector: {}
  ingress:
  - ports:
    - port: 8080
      ${port}
`;
  t.same(read(`# comment\n---\n${namespace('a')}---\n${policy('endPort: 90')}`, 'db.yaml').lines, [
    'end-port-below-port: NetworkPolicy shop/db (db.yaml:19, spec.ingress[0].ports[0].endPort): endPort 90 is below port 8080; set 8080 or more',
  ]);
});

t.test('a fault in a list or in JSON is reported with its line too', async (t) => {
  const json = JSON.stringify(
    { kind: 'PodList', apiVersion: 'v1', items: [{ metadata: { name: 'p' }, status: { podIP: 'x' } }] },
    null,
    2,
  );
  const line = json.split('\n').findIndex((text) => text.includes('podIP')) + 1;
  t.same(read(json, 'pods.json').lines, [
    `bad-address: Pod default/p (pods.json:${line}, status.podIP): invalid IP address "x"; write an IPv4 or IPv6 address`,
  ]);
});

t.test('a missing field is reported at the line of its parent', async (t) => {
  t.same(read('---\nkind: Namespace\napiVersion: v1\nmetadata:\n  labels: {}\n', 'n.yaml').lines, [
    'missing-field: Namespace (no name) (n.yaml:4, metadata.name): name is missing; set name',
  ]);
});

t.test('invalid YAML is reported with its line; the other documents are read', async (t) => {
  const { keys: found, lines } = read(`${namespace('a')}---\nkind: [\n---\n${namespace('b')}`);
  t.same(found, ['Namespace//a', 'Namespace//b']);
  t.equal(lines.length, 1);
  t.match(lines[0], /^bad-yaml: x\.yaml:\d+: cannot parse as YAML or JSON: .+; fix the syntax$/);
});

t.test('an object that is defined twice is a problem, and the last definition is used', async (t) => {
  const { path } = folder(t, { 'a.yaml': namespace('shop', 'one'), 'b.yaml': `---\n${namespace('shop', 'two')}` });
  const { objects, problems } = await readManifests(path);
  t.match(objects, [{ name: 'shop', labels: { team: 'two' } }]);
  t.equal(objects.length, 1);
  t.same(problems.map(problemLine), [
    'duplicate-object: Namespace shop (b.yaml:2): this definition replaces the one in a.yaml:1; remove one of the two definitions',
  ]);
});

t.test('aliases that expand to millions of values are refused, even if they are few', async (t) => {
  let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
  for (let i = 1; i < 8; i++)
    text += `a${i}: &a${i} [${Array(10)
      .fill(`*a${i - 1}`)
      .join(', ')}]\n`;
  t.match(read(text).lines, [/^bad-yaml: x\.yaml:1: .*its aliases expand to more than 1,000,000 values/]);
  t.match(read(`a: &a [x]\nb: [${Array(2000).fill('*a').join(', ')}]\n`).lines, [/^bad-yaml: .*aliases exceeded/]);
  t.match(read('a: &a [*a]\n').lines, [/^bad-yaml/]);
});

t.test('very deep nesting is refused, in YAML and in JSON', async (t) => {
  t.match(read('['.repeat(100_000)).lines, [/^bad-yaml/]);
  t.match(read('{"a":'.repeat(100_000)).lines, [/^bad-yaml/]);
});

t.test('a file with a byte order mark or CRLF, and an empty file, are read', async (t) => {
  t.same(read(`\ufeff${namespace('a')}`).keys, ['Namespace//a']);
  t.same(read(namespace('a').replaceAll('\n', '\r\n')).keys, ['Namespace//a']);
  t.same(read('\n# nothing\n'), { keys: [], lines: [], ignored: 0 });
});

t.test('--- in an indented string does not start a document', async (t) => {
  const text = `${namespace('a')}  annotations:\n    note: |\n      ---\n      more\n---\n${namespace('b')}`;
  t.same(read(text).keys, ['Namespace//a', 'Namespace//b']);
});

t.test('unread holds only the problems that kept something from being read', async (t) => {
  const policy = (ports: string) =>
    `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {podSelector: {}, ingress: [{ports: [${ports}]}]}\n`;
  const { path } = folder(t, {
    'broken.yaml': policy('{port: 70000}'),
    'unread.yaml': 'apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n---\nkind: [\n---\nkind: ConfigMap\ndata: [\n',
    'once.yaml': namespace('a'),
    'twice.yaml': namespace('a'),
    'kustomization.yaml': 'namePrefix: x-\n',
    'templates/a.yaml': 'name: {{ .Release.Name }}\n',
  });
  symlinkSync('gone', join(path, 'gone.yaml'));
  const { problems, unread } = await readManifests(path);
  t.same(unread.map(({ code }) => code).sort(), ['bad-yaml', 'cannot-read', 'helm-templates', 'wrong-type']);
  const others = problems.filter((problem) => !unread.includes(problem)).map(({ code }) => code);
  t.same(others.sort(), ['bad-port', 'bad-yaml', 'duplicate-object', 'kustomization-not-built']);
});

t.test(
  'a file above the size limit is not read, and the problem for YAML suggests JSON, whose limit is higher',
  async (t) => {
    const { path } = folder(t, { 'a.yaml': '', 'b.json': '' });
    truncateSync(join(path, 'a.yaml'), 65 * 2 ** 20);
    truncateSync(join(path, 'b.json'), 257 * 2 ** 20);
    const { problems, unread } = await readManifests(path);
    t.same(problems.map(problemLine), [
      'file-too-large: a.yaml: the file has 65 MiB, more than 64 MiB; use JSON (kubectl get -o json) of at most 256 MiB, or split it, for example by namespace',
      'file-too-large: b.json: the file has 257 MiB, more than 256 MiB; split it, for example by namespace',
    ]);
    t.same(unread, problems);
  },
);
