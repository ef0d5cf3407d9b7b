import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../cluster/clock.ts';
import { readManifests } from '../../../cluster/manifests/read.ts';
import { manifestSource } from '../../../cluster/manifests/watch.ts';
import { objectKey } from '../../../model/kubernetes.ts';
import { problemLine } from '../../../model/problem.ts';
import { folder, namespace } from './folders.ts';

async function read(path: string) {
  const { objects, problems, ignored } = await readManifests(path);
  return { keys: objects.map(objectKey).sort(), lines: problems.map(problemLine), ignored };
}

const chart = 'apiVersion: v2\nname: shop\nversion: 1.0.0\n';
const template = `{{- if .Values.on }}
apiVersion: v1
kind: Namespace
metadata:
  name: {{ .Release.Namespace }}
{{- end }}
`;
/** Valid YAML, so without the check for templates it would be read with a wrong meaning. */
const quoted = namespace('{{ .Release.Name }}').replace('{{ .Release.Name }}', '"{{ .Release.Name }}"');

t.test('a Helm chart is one problem for all of its templates; its values and metadata are ignored', async (t) => {
  const { path } = folder(t, {
    'a.yaml': namespace('a'),
    'charts/shop/Chart.yaml': chart,
    'charts/shop/values.yaml': 'kind: Deployment\nmetadata: {}\nmore: {{{',
    'charts/shop/values-prod.yaml': 'replicas: 3\n',
    'charts/shop/values.schema.json': '{}',
    'charts/shop/ci/test-values.yaml': 'on: true\n',
    'charts/shop/templates/web.yaml': template,
    'charts/shop/templates/deep/quoted.yaml': quoted,
    'charts/shop/templates/_helpers.tpl': template,
    'charts/shop/charts/db/Chart.yaml': chart,
    'charts/shop/charts/db/templates/db.yaml': template,
  });
  t.same(await read(path), {
    keys: ['Namespace//a'],
    lines: [
      'helm-templates: charts/shop/Chart.yaml: found 3 unrendered Helm templates; run helm template charts/shop and use its output',
    ],
    ignored: 9,
  });
});

t.test('plain manifests in the templates/ of a chart, and in its other folders, are read', async (t) => {
  const { path } = folder(t, {
    'Chart.yaml': chart,
    'values.yaml': 'on: true\n',
    'templates/web.yaml': template,
    'templates/plain.yaml': namespace('plain'),
    'deploy/beside.yaml': namespace('beside'),
  });
  t.same(await read(path), {
    keys: ['Namespace//beside', 'Namespace//plain'],
    lines: ['helm-templates: Chart.yaml: found 1 unrendered Helm template; run helm template . and use its output'],
    ignored: 3,
  });
});

t.test('templates outside of a known chart are one problem for their folder, or for the single file', async (t) => {
  const { path } = folder(t, {
    'templates/web.yaml': template,
    'templates/db.yaml': `${namespace('db')}---\n${template}`,
  });
  t.same(await read(path), {
    keys: ['Namespace//db'],
    lines: ['helm-templates: templates: found 2 unrendered Helm templates; run helm template and use its output'],
    ignored: 2,
  });
  t.match((await read(join(path, 'templates', 'web.yaml'))).lines, [/^helm-templates: /]);
});

t.test('braces in strings do not make a manifest a template, even if it has another syntax error', async (t) => {
  const alert = `  annotations:\n    text: |\n      on {{ $labels.pod }}\n    more: '{{ x }}'\n`;
  const { path } = folder(t, { 'a.yaml': namespace('a') + alert, 'b.yaml': `x: '{{ y }}'\nkind: [\n` });
  const { keys, lines } = await read(path);
  t.same(keys, ['Namespace//a']);
  t.match(lines, [/^bad-yaml: b\.yaml/]);
});

t.test('a Chart.yaml that is added later turns the manifests in templates/ into templates', async (t) => {
  const files = folder(t, { 'templates/a.yaml': `# {{ comment }}\n${namespace('a')}` });
  const events: string[] = [];
  const source = manifestSource(files.path, systemClock);
  t.teardown(() => source.stop());
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  await source.start((event) => {
    events.push(event.type === 'problem' ? event.problem.code : event.type);
    if (event.type === 'gone') resolve();
  });
  files.write('Chart.yaml', chart);
  await gone;
  t.same(events, ['put', 'synced', 'helm-templates', 'gone']);
});

const kustomization = (text: string) =>
  `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n${text}`;
const patch = (name: string) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: {team: -no-}}\n`;

t.test('a kustomization that changes nothing is ignored, and its folder is read', async (t) => {
  const { path } = folder(t, {
    'kustomization.yaml': kustomization('images: [{name: x, newTag: y}]\npatches: []\n'),
    'a.yaml': namespace('a'),
  });
  t.same(await read(path), { keys: ['Namespace//a'], lines: [], ignored: 1 });
});

t.test(
  'patches of a kustomization are ignored and reported once, and the objects they change are read unchanged',
  async (t) => {
    const { path } = folder(t, {
      'base/kustomization.yml': kustomization(''),
      'base/a.yaml': namespace('a'),
      'prod/kustomization.yaml': kustomization(
        'namespace: prod\npatches: [{path: one.yaml}, {path: ./deep/two.yaml}, {patch: "- op: remove"}]\n',
      ),
      'prod/one.yaml': patch('a'),
      'prod/deep/two.yaml': patch('a'),
      'test/Kustomization': kustomization('patchesStrategicMerge:\n- ../patches/three.yaml\n- |\n  kind: Namespace\n'),
      'patches/three.yaml': 'kind: NetworkPolicy\nmetadata: {name: x}\nspec: {ingress: 1}\n',
    });
    t.same(await read(path), {
      keys: ['Namespace//a'],
      lines: [
        'kustomization-not-built: prod/kustomization.yaml: these changes are not applied: namespace, patches (one.yaml, ./deep/two.yaml); run kubectl kustomize prod and use its output',
        'kustomization-not-built: test/Kustomization: these changes are not applied: patches (../patches/three.yaml); run kubectl kustomize test and use its output',
      ],
      ignored: 6,
    });
  },
);

t.test('a patch is read as an object once no kustomization lists it', async (t) => {
  const { path, write } = folder(t, {
    'kustomization.yaml': kustomization('patchesJson6902: [{path: b.yaml, target: {kind: Namespace}}]\n'),
    'b.yaml': namespace('b'),
  });
  t.match(await read(path), { keys: [], lines: [/^kustomization-not-built: .*patches \(b\.yaml\)/] });
  write('kustomization.yaml', kustomization('patchesJson6902: null\n'));
  t.match(await read(path), { keys: ['Namespace//b'], lines: [] });
});

t.test('a kustomization of an unknown form does not keep other files from being read', async (t) => {
  for (const text of ['[]\n', 'patches: all\n', 'patches: [null, 1, {path: [x]}]\n', 'just a text\n']) {
    const { path } = folder(t, { 'kustomization.yaml': text, 'a.yaml': namespace('a') });
    t.same((await read(path)).keys, ['Namespace//a']);
  }
});

const policy = (name: string, value: string) => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name}, namespace: shop }
spec: { podSelector: { matchLabels: { app: ${value} } } }
`;

t.test('a Helm action in quotes or in braces makes a document a template too', async (t) => {
  for (const [name, value] of [
    ['p', '{{ .Values.app }}'],
    ['p', '{{- .Values.app | quote }}'],
    ['p', '{{ include "shop.name" . }}'],
    ['"{{ .Release.Name }}"', 'db'],
    ['"{{ .Release.Name }}-{{ .Chart.Name }}"', 'db'],
    ['p', `'{{ include "shop.name" . }}'`],
    ['p', '"{{ $.Values.app }}"'],
  ] as const) {
    const { path } = folder(t, { 'a.yaml': namespace('a'), 'p.yaml': policy(name, value) });
    const { keys, lines, ignored } = await read(join(path));
    t.match(lines, [/^helm-templates: .*: found 1 unrendered Helm template; /], `${name} ${value}`);
    t.same([lines.length, keys, ignored], [1, ['Namespace//a'], 1]);
  }
});

t.test('an object with faults and an action of another program is no template', async (t) => {
  const { path } = folder(t, { 'p.yaml': policy('p', '"{{ $labels.pod }}"'), 'q.yaml': policy('q', '{{ x }}') });
  const { lines } = await read(path);
  t.match(lines, [/^bad-label-value: NetworkPolicy shop\/p /, /^bad-yaml: q\.yaml/]);
});

t.test('an object without faults is read, whatever its annotations have', async (t) => {
  const text = `${namespace('a')}  annotations: { text: "{{ .Values.x }}" }\n`;
  const { path } = folder(t, { 'a.yaml': text });
  t.same(await read(path), { keys: ['Namespace//a'], lines: [], ignored: 0 });
});
