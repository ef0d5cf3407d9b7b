import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../cluster/clock.ts';
import { parseManifest } from '../../../cluster/manifests/manifest.ts';
import { readManifests } from '../../../cluster/manifests/read.ts';
import { seenInText } from '../../../cluster/manifests/unread-document.ts';
import { manifestSource } from '../../../cluster/manifests/watch.ts';
import type { ClusterEvent } from '../../../model/kubernetes.ts';
import { isUnread } from '../../../model/kubernetes.ts';
import { until } from '../../scene/until.ts';
import { folder, namespace } from './folders.ts';

const used: readonly [string, string | undefined][] = [
  ['kind: NetworkPolicy\nmetadata:\n  name: p\n  namespace: shop\nspec: [', 'shop'],
  [
    'kind: NetworkPolicy\nmetadata:\n  # first\n  labels:\n    namespace: other\n  namespace: "shop" # here\nspec: [',
    'shop',
  ],
  ['kind: Pod\r\nmetadata:\r\n    namespace: shop\r\n    name: a\r\nspec: [\r\n', 'shop'],
  ['metadata: {name: p, namespace: shop}\nkind: Service # x\nspec: [', 'shop'],
  ['kind: CiliumNetworkPolicy\nmetadata: {namespace: shop}\nspec: [', 'shop'],
  ['kind: AcmeNetworkPolicy\nmetadata: {namespace: shop}\nspec: [', 'shop'],
  ['apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {namespace: shop}\nspec: [', 'shop'],
  ['kind: CloneSet\nmetadata: {namespace: shop}\nspec: [', 'shop'],
  ['kind: DeploymentConfig\nmetadata: {namespace: shop}\nspec: [', 'shop'],
  [
    'kind: BroadcastJob\nmetadata: {namespace: shop}\nspec:\n  template:\n    spec:\n      containers:\n      - [',
    'shop',
  ],
  ['{"kind": "Sandbox", "spec": {"template": {"spec": {"containers": [', undefined],
  ['kind: Namespace\nmetadata: {name: shop}\nspec: [', 'shop'],
  ['"kind": "Pod"\nmetadata: {namespace: shop}\nspec: [', 'shop'],
  ['kind: NetworkPolicy\nmetadata:\n  name: p\nspec: [', undefined],
  ['kind: NetworkPolicy\nmetadata:\n  namespace: a\n  namespace: b\nspec: [', undefined],
  ['kind: NetworkPolicy\nmetadata: {labels: {a: b}, namespace: shop}\nspec: [', undefined],
  ['kind: NetworkPolicy\nmetadata:\n  namespace: Shop!\nspec: [', undefined],
  ['kind: NetworkPolicy\nmetadata: {namespace: a}\nspec: [\nmetadata: {namespace: b}', undefined],
  ['kind: Pod\nmetadata: {namespace: a}\nspec: {}\nkind: Pod', undefined],
  ['kind: List\nitems:\n- kind: Pod\n  metadata: {namespace: shop}\n  spec: [', undefined],
  ['kind: PodList\nitems: [', undefined],
  ['{"kind": "NetworkPolicy", "metadata": {"namespace": "shop"}, "spec": [', undefined],
  ['{\n  "apiVersion": "v1",\n  "kind": "Pod",', undefined],
  ['- kind: Pod\n  spec: [', undefined],
  ['  kind: NetworkPolicy\n  metadata:\n    namespace: shop\n  spec: [', 'shop'],
  ['---\n# here\n  kind: NetworkPolicy\n\n  metadata: {namespace: shop}\n# there\n  spec: [', 'shop'],
  ['\tkind: NetworkPolicy\n\tmetadata: {namespace: shop}\n\tspec: [', 'shop'],
  ['  apiVersion: v1\n  kind: Pod\nmetadata:\n  namespace: shop\nspec: [', undefined],
  ['  apiVersion: v1\nkind: Pod\n  metadata: {namespace: shop}\nspec: [', undefined],
  ['---\n{"kind": "NetworkPolicy", "spec": [', undefined],
  ['# here\n{"kind": "NetworkPolicy", "spec": [', undefined],
  ['--- {"kind": "NetworkPolicy", "spec": [', undefined],
  ['--- # here\nkind: NetworkPolicy\nmetadata: {namespace: shop}\nspec: [', 'shop'],
];

t.test('the namespace of a document that cannot be read is known only if its text leaves no doubt', async (t) => {
  for (const [text, namespace] of used)
    t.same(seenInText(text), namespace === undefined ? { kind: 'used' } : { kind: 'used', namespace }, text);
});

const notUsed: readonly [string, 'other' | 'none'][] = [
  ['kind: ConfigMap\nmetadata: {namespace: shop}\ndata: [', 'other'],
  ['{"kind": "Secret", "data": [', 'other'],
  ['values:\n  kind: NetworkPolicy\n  x: [', 'none'],
  ['kind: AuthorizationPolicy\nmetadata: {namespace: shop}\nspec: [', 'other'],
  ['kind: Values\nspec:\n  template:\n    image: [', 'other'],
  ['kind: ConfigMap\ndata:\n  pod: |\n    spec:\n      template:\n        spec:\n          containers:\nx: [', 'other'],
  ['{"kind": "Secret", "data": {"template": 1, "containers": [', 'other'],
  ['replicas: [', 'none'],
  ['text: |\n  kind: Pod\nx: [', 'none'],
  ['# kind: Pod\nx: [', 'none'],
  ['  values:\n    kind: NetworkPolicy\n  x: [', 'none'],
  ['    # kind: Pod\n  text: |\n    kind: Pod\n  x: [', 'none'],
  ['kind:NetworkPolicy: [', 'none'],
  ['subkind: Pod\nx: [', 'none'],
  ['kind: [', 'none'],
];

t.test('a document that has none of the used kinds at the start of a line does not count', async (t) => {
  for (const [text, kind] of notUsed) t.same(seenInText(text), { kind }, text);
});

t.test(
  'a document of another kind is reported and ignored; one without a kind is unread, and changes no verdict',
  async (t) => {
    const { path } = folder(t, {
      'map.yaml': 'kind: ConfigMap\napiVersion: v1\ndata: [\n',
      'values.yaml': 'a: [\n',
      'a.yaml': namespace('a'),
    });
    const ignored = await readManifests(path);
    t.match(ignored, { unread: [], ignored: 1, problems: [{ code: 'bad-yaml' }] });
    t.equal(ignored.objects.length, 1);
    t.match(parseManifest('a: [\n', 'x.yaml'), { entries: [], unread: [{ code: 'bad-yaml' }] });
    const { entries, unread } = parseManifest('\n# x\nkind: Pod\nmetadata: {namespace: a}\nspec: [\n', 'x.yaml');
    t.match(unread, [{ code: 'bad-yaml', place: 'x.yaml:5' }]);
    t.match(entries, [{ place: 'x.yaml:3', object: { name: 'x.yaml:3', unread: true, broken: unread } }]);
  },
);

t.test('a template is passed over, and the other documents of its file are read or reported', async (t) => {
  const { path } = folder(t, {
    'a.yaml': `${namespace('a')}---\nkind: NetworkPolicy\nmetadata:\n  name: {{ .Release.Name }}\n---\nkind: Pod\nspec: [\n---\nkind: Pod\nx: "{{ .x }}\n`,
  });
  const { objects, unread, problems } = await readManifests(path);
  t.same(objects.map(({ name }) => name).sort(), ['a', 'a.yaml:11']);
  t.same(unread.map(({ code }) => code).sort(), ['bad-yaml', 'helm-templates']);
  t.same(
    problems,
    unread.toSorted(({ code }) => (code === 'helm-templates' ? -1 : 1)),
  );
});

t.test(
  'a file that cannot be read may define any object',
  { skip: process.getuid?.() === 0 && 'root reads it' },
  async (t) => {
    const { path } = folder(t, { 'a.yaml': namespace('a'), 'b.yaml': namespace('b') });
    chmodSync(join(path, 'b.yaml'), 0);
    const { objects } = await readManifests(path);
    t.match(objects.filter(isUnread), [{ name: 'b.yaml' }]);
  },
);

t.test('a document in braces keeps its end if another form follows, and the other is read', async (t) => {
  const inBraces = (name: string) => `{ apiVersion: v1, kind: Namespace, metadata: { name: ${name} } }`;
  const text = `${inBraces('a')} {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "b"}}\n---\n${namespace('c')}--- # here\n${inBraces('d')}\n`;
  const { entries, problems } = parseManifest(text, 'x.yaml');
  t.same(
    entries.map(({ object: { name }, place }) => [name, place]),
    [
      ['a', 'x.yaml:1'],
      ['b', 'x.yaml'],
      ['c', 'x.yaml:3'],
      ['d', 'x.yaml:9'],
    ],
  );
  t.same(problems, []);
});

t.test('a policy of a misspelled kind may be a policy of its namespace', async (t) => {
  const misspelled = (apiVersion: string, metadata: string) =>
    parseManifest(`kind: Networkpolicy\napiVersion: ${apiVersion}\nmetadata: ${metadata}\n`, 'x.yaml').entries;
  const inNamespace = (name: string) => [
    { object: { unread: true, subject: { namespaceSelector: [{ operator: 'In', values: [name] }] } } },
  ];
  t.match(misspelled('networking.k8s.io/v1', '{name: p, namespace: shop}'), inNamespace('shop'));
  t.match(misspelled('networking.k8s.io/v1', '{name: p}'), inNamespace('default'));
  const [ofCluster] = misspelled('policy.networking.k8s.io/v1alpha2', '{name: p, namespace: shop}');
  t.match(ofCluster, { object: { unread: true } });
  t.notOk('subject' in ofCluster!.object);
});

t.test('the source of a folder reports such a document as an object, until it is fixed', async (t) => {
  const files = folder(t, { 'a.yaml': namespace('a') });
  const events: ClusterEvent[] = [];
  const source = manifestSource(files.path, systemClock);
  t.teardown(() => source.stop());
  await source.start((event) => events.push(event));
  files.write('p.yaml', 'kind: NetworkPolicy\nmetadata: {name: p, namespace: a}\nspec: [\n');
  const reported = (type: ClusterEvent['type']) =>
    events.find((event) => event.type === type && 'object' in event && isUnread(event.object));
  await until('the document is reported', () => reported('put') !== undefined);
  files.write('p.yaml', namespace('b'));
  await until('the document is gone', () => reported('gone') !== undefined);
  t.match(reported('put'), { object: { name: 'p.yaml:1' } });
});
