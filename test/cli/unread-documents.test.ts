// A document that cannot be read makes unknown what it could change, on every command that evaluates.

import { Readable } from 'node:stream';
import t from 'tap';
import { runConnectivity } from '../../cli/connectivity.ts';
import { type LintFlags, runLint } from '../../cli/lint.ts';
import { runVerdict } from '../../cli/verdict.ts';
import { readManifests } from '../../cluster/manifests/read.ts';
import { isUnread } from '../../model/kubernetes.ts';
import { folder } from '../cluster/manifests/folders.ts';
import { pcapFile } from '../scene/captures.ts';
import { Kept } from '../scene/kept.ts';
import { ingressPolicy, shop } from '../scene/pipeline.ts';
import { all, run as replay, replayScene } from '../scene/replay.ts';

const pod = (place: string) => {
  const [namespace, name] = place.split('/');
  return `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}\nspec: {containers: []}\nstatus: {podIP: 10.0.0.${place.length}}\n`;
};
const pods = ['shop/web', 'shop/dbase', 'bank/teller', 'bank/tellers'].map(pod).join('---\n');
const allowAll =
  'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: all, namespace: shop}\nspec: {podSelector: {}, ingress: [{}], egress: [{}]}\n';
const denyAll = allowAll.replace(', ingress: [{}], egress: [{}]', ', policyTypes: [Ingress, Egress]');
/** Its last line is not valid YAML. */
const broken = (kind: string, metadata: string) => `# a comment\nkind: ${kind}\nmetadata: ${metadata}\nspec: [\n`;

async function verdicts(
  t: Parameters<typeof folder>[0],
  files: Record<string, string>,
  questions: readonly [string, string][],
) {
  const { path } = folder(t, { 'pods.yaml': pods, ...files });
  const [stdout, stderr] = [new Kept(), new Kept()];
  const stdin = Readable.from(questions.map(([from, to]) => `${JSON.stringify({ from, to, port: 80 })}\n`));
  const flags = { cluster: path, output: 'table', batch: true } as const;
  const code = await runVerdict(flags, { stdin, stdout, stderr });
  const answers = stdout.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { code, answers, verdicts: answers.map(({ verdict }) => verdict).join(' '), stderr: stderr.text };
}

const inShop = ['shop/web', 'shop/dbase'] as const;
const inBank = ['bank/teller', 'bank/tellers'] as const;
const questions: [string, string][] = [
  [...inShop],
  ['shop/web', '1.2.3.4'],
  ['bank/teller', 'shop/web'],
  [...inBank],
  ['1.2.3.4', '5.6.7.8'],
];

t.test('all verdicts of the namespace of a document that cannot be read are unknown, and no others', async (t) => {
  const document = broken('NetworkPolicy', '{name: p, namespace: shop}');
  for (const policies of ['', `---\n${allowAll}`]) {
    const ran = await verdicts(t, { 'p.yaml': `${document}${policies}` }, questions);
    t.equal(ran.code, 2);
    t.equal(ran.verdicts, 'unknown unknown unknown undeclared undeclared');
    t.equal(ran.answers[0].reason, 'a document that cannot be read could change the verdict: p.yaml:2');
    t.match(ran.answers[0].sides, [{ verdict: 'unknown' }, { verdict: 'unknown', why: ran.answers[0].reason }]);
    t.match(ran.stderr, /^bad-yaml: p\.yaml:\d: /);
  }
});

t.test('all verdicts are unknown if its namespace is not known, whatever its kind', async (t) => {
  for (const document of [
    broken('NetworkPolicy', '{name: p}'),
    broken('AdminNetworkPolicy', '{name: p}'),
    broken('Service', '{name: p, namespace: shop}\nmetadata: {namespace: bank}'),
    'kind: List\nitems:\n- kind: NetworkPolicy\n  metadata: {namespace: shop}\n  spec: [\n',
    '{"kind": "Pod", "metadata": {"namespace": "shop"}',
  ]) {
    const ran = await verdicts(t, { 'p.yaml': document }, questions);
    t.equal(ran.verdicts, 'unknown unknown unknown unknown unknown', document);
    t.match(ran.answers[4].reason, /^a document that cannot be read could change the verdict: p\.yaml:/);
    t.equal(ran.code, 2);
  }
});

t.test('a side that certainly denies in another namespace outweighs it', async (t) => {
  const files = { 'p.yaml': broken('Pod', '{namespace: bank}'), 'deny.yaml': denyAll };
  const ran = await verdicts(t, files, [['bank/teller', 'shop/web'], [...inShop], [...inBank]]);
  t.equal(ran.verdicts, 'denied denied unknown');
});

t.test('a document of a kind that is not used, a file without a kind, and a template change nothing', async (t) => {
  const files = { 'a.yaml': broken('ConfigMap', '{namespace: shop}') };
  t.match(await verdicts(t, files, questions), {
    code: 0,
    verdicts: 'undeclared undeclared undeclared undeclared undeclared',
  });
  t.match(await verdicts(t, { 'b.yaml': 'values: [\n' }, questions), {
    code: 2,
    verdicts: 'undeclared undeclared undeclared undeclared undeclared',
  });
  const template = { 'c.yaml': 'kind: NetworkPolicy\nmetadata:\n  name: {{ .Release.Name }}\n' };
  const ran = await verdicts(t, template, questions);
  t.match(ran, { code: 2, verdicts: 'undeclared undeclared undeclared undeclared undeclared' });
  t.match(ran.stderr, /^helm-templates: /);
});

t.test('several such documents are all possible reasons, and a misspelled policy kind is one', async (t) => {
  const files = {
    'a.yaml': allowAll.replace('kind: NetworkPolicy', 'kind: NetworkPolicies'),
    'b.yaml': broken('Pod', '{namespace: bank}'),
  };
  const ran = await verdicts(t, files, [[...inShop], ['shop/web', 'bank/teller'], [...inBank]]);
  t.equal(ran.verdicts, 'unknown unknown unknown');
  t.match(ran.answers[0].reason, /: a\.yaml:1$/);
  t.match(ran.answers[2].reason, /: b\.yaml:2$/);
});

const misspelled = (namespace: string) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolice',
  metadata: { name: 'p', namespace },
  spec: {},
});
const list = (...items: unknown[]) => ({ apiVersion: 'v1', kind: 'List', items });

t.test('each of several such documents in one file counts, also on the same line', async (t) => {
  const items = [misspelled('shop'), misspelled('bank')];
  const ofBoth: [string, string][] = [[...inShop], [...inBank], ['1.2.3.4', 'shop/web'], ['1.2.3.4', 'bank/teller']];
  for (const [name, text] of [
    ['list.json', JSON.stringify(list(...items), null, 2)],
    ['line.json', JSON.stringify(list(...items))],
    ['nested.json', JSON.stringify(list(list(items[0]), list(items[1])))],
    ['documents.json', items.map((one) => JSON.stringify(one)).join(' ')],
    ['line.yaml', `kind: List\napiVersion: v1\nitems: ${JSON.stringify(items)}\n`],
    ['deep.json', JSON.stringify({ ...list(...items), deep: JSON.parse('['.repeat(120) + ']'.repeat(120)) })],
  ] as const) {
    const ran = await verdicts(t, { [name]: text }, ofBoth);
    t.equal(ran.verdicts, 'unknown unknown unknown unknown', name);
    t.notMatch(ran.stderr, /duplicate-object/, name);
    t.not(ran.answers[0].reason, ran.answers[1].reason, name);
  }
});

t.test('such a document of a JSON file is named with its line', async (t) => {
  const text = JSON.stringify(list(misspelled('shop'), misspelled('bank')), null, 2);
  const ran = await verdicts(t, { 'list.json': text }, [[...inShop], [...inBank]]);
  t.match(ran.answers[0].reason, /: list\.json:5$/);
  t.match(ran.answers[1].reason, /: list\.json:14$/);
});

t.test('the same file given twice has no duplicates among its documents that cannot be read', async (t) => {
  const { path } = folder(t, { 'pods.yaml': pods, 'list.json': JSON.stringify(list(misspelled('shop'))) });
  const { objects, problems } = await readManifests([`${path}/pods.yaml`, `${path}/list.json`, `${path}/list.json`]);
  t.notOk(problems.some(({ code }) => code === 'duplicate-object'));
  t.equal(objects.filter(isUnread).length, 1);
});

t.test('a document indented as a whole counts like any other', async (t) => {
  const document = broken('NetworkPolicy', '{name: p, namespace: shop}').replace(/^(?=.)/gm, '  ');
  const ran = await verdicts(t, { 'p.yaml': `---\n${document}` }, questions);
  t.equal(ran.verdicts, 'unknown unknown unknown undeclared undeclared');
  const pasted = document.replace('  metadata', 'metadata');
  t.equal((await verdicts(t, { 'p.yaml': pasted }, questions)).verdicts, 'unknown unknown unknown unknown unknown');
});

t.test('connectivity shows the connections of that namespace as unknown, also in a comparison', async (t) => {
  const before = folder(t, { 'pods.yaml': pods, 'p.yaml': denyAll }).path;
  const after = folder(t, { 'pods.yaml': pods, 'p.yaml': broken('NetworkPolicy', '{name: p, namespace: shop}') }).path;
  const connectivity = async (flags: { cluster: string; diff?: string }) => {
    const [stdout, stderr] = [new Kept(), new Kept()];
    const code = await runConnectivity({ output: 'jsonl', color: 'never', ...flags }, { stdout, stderr });
    return {
      code,
      lines: stdout.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    };
  };
  const listed = await connectivity({ cluster: after });
  const ofShop = listed.lines.filter((line) => JSON.stringify(line).includes('"namespace":"shop"'));
  t.ok(ofShop.length > 0 && ofShop.every(({ verdict }) => verdict === 'unknown'));
  t.ok(
    listed.lines.some(({ verdict }) => verdict === 'undeclared'),
    'the other namespace is not affected',
  );
  const changed = await connectivity({ cluster: before, diff: after });
  t.equal(changed.code, 2);
  t.ok(changed.lines.length > 0 && changed.lines.every(({ change }) => change === 'uncertain'));
});

t.test('connectivity fails if a workload of another API cannot be read', async (t) => {
  const rollout = broken('Rollout', '{name: p, namespace: shop}').replace(
    'kind',
    'apiVersion: argoproj.io/v1alpha1\nkind',
  );
  const { path } = folder(t, { 'pods.yaml': pods, 'p.yaml': rollout });
  const [stdout, stderr] = [new Kept(), new Kept()];
  const code = await runConnectivity({ output: 'jsonl', color: 'never', cluster: path }, { stdout, stderr });
  t.equal(code, 2);
  const lines = stdout.text.trimEnd().split('\n');
  const ofShop = lines.filter((line) => line.includes('"namespace":"shop"'));
  t.ok(ofShop.length > 0 && ofShop.every((line) => JSON.parse(line).verdict === 'unknown'));
  t.match(stderr.text, /^bad-yaml: p\.yaml:/);
});

t.test('lint does not say that something is missing that such a document may define', async (t) => {
  const selecting = allowAll
    .replace('podSelector: {}, ', 'podSelector: {matchLabels: {app: gone}}, ')
    .replace(', egress: [{}]', '');
  const rules = async (files: Record<string, string>) => {
    const [stdout, stderr] = [new Kept(), new Kept()];
    const flags: LintFlags = {
      cluster: folder(t, { 'pods.yaml': pods, ...files }).path,
      output: 'jsonl',
      color: 'never',
    };
    const code = await runLint(flags, { stdout, stderr });
    const complaints = stdout.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
    return { code, rules: complaints.map(({ rule, namespace }) => `${rule} ${namespace}`).sort(), stderr: stderr.text };
  };
  const complete = await rules({ 'p.yaml': selecting });
  t.same(complete, {
    code: 0,
    rules: ['no-policy bank', 'not-selected shop', 'not-selected shop', 'selects-nothing shop'],
    stderr: complete.stderr,
  });
  const inNamespace = await rules({ 'p.yaml': selecting, 'q.yaml': broken('Pod', '{name: q, namespace: shop}') });
  t.match(inNamespace, { code: 2, rules: ['no-policy bank'], stderr: /^bad-yaml: q\.yaml:.*\n.*1 policy read/ });
  t.match(await rules({ 'p.yaml': selecting, 'q.yaml': broken('Pod', '{name: q}') }), { code: 2, rules: [] });
});

t.test('replay shows no certain finding that such a document could change', async (t) => {
  const { some, file } = replayScene(t, pcapFile(all));
  const read = file('read.yaml', `${shop}---${ingressPolicy('db', '')}`);
  const unread = file('unread.yaml', broken('NetworkPolicy', '{name: p, namespace: shop}'));
  const ran = await replay(some, '--cluster', read, '--cluster', unread, '-o', 'jsonl');
  t.equal(ran.code, 2);
  t.notMatch(ran.out, /"verdict":"(denied|undeclared|allowed)"/);
  t.match(
    ran.err.at(-1),
    /connections: unknown: a document that cannot be read could change the verdict: .*unread\.yaml:2 2$/,
  );
  const outside = file('outside.yaml', broken('NetworkPolicy', '{name: p, namespace: bank}'));
  t.match((await replay(some, '--cluster', read, '--cluster', outside)).err.at(-1), /denied 1, undeclared 1$/);
});
