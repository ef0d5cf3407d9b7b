// YAML as kubectl reads it: each case was compared with sigs.k8s.io/yaml 1.6.0.
import t from 'tap';
import { readDocuments } from '../../../cluster/manifests/documents.ts';
import { parseManifest } from '../../../cluster/manifests/manifest.ts';
import { readManifests } from '../../../cluster/manifests/read.ts';
import { problemLine } from '../../../model/problem.ts';
import { folder, namespace } from './folders.ts';

function readValue(text: string): unknown {
  const { documents, unread } = readDocuments(text, 'x.yaml');
  return unread.length > 0 ? unread.map(({ problem }) => problem.fault) : documents.map(({ raw }) => raw)[0];
}

const indentation: readonly [string, unknown][] = [
  ['a: [\n\tx,\n\t\tz\n]', { a: ['x', 'z'] }],
  ['a:\t[x]', { a: ['x'] }],
  ['a:\t{x: z}', { a: { x: 'z' } }],
  ['- a:\n    - b: ["x",\n\t"z"]', [{ a: [{ b: ['x', 'z'] }] }]],
  ['a:\n  b: {\n\tc: d,\n e: f }\n  g: h', { a: { b: { c: 'd', e: 'f' }, g: 'h' } }],
  ['a:\n  b: [x,\tw,\n\tz]', { a: { b: ['x', 'w', 'z'] } }],
  ['a: [\n# c\n\t# d\nx]', { a: ['x'] }],
  ['a:\n- [\n]\n- b', { a: [[], 'b'] }],
  ['a: ["x"\n\t, c # d\n\t]', { a: ['x', 'c'] }],
  ['a: [one\ntwo]', { a: ['one two'] }],
  ['a: [\r\n\tx\r\n]\r\n', { a: ['x'] }],
  ['k: ["a\nb",\n"c"]', { k: ['a b', 'c'] }],
  ["k: 'a\n  b\nc'", { k: 'a b c' }],
  ['a: "x\\\nz"', { a: 'xz' }],
  ["a: 'x\n\tz'", { a: 'x z' }],
  ["a: 'x\n'", { a: 'x ' }],
  ['a: [\'{\n  "x": 1\n  }\']', { a: ['{ "x": 1 }'] }],
  ['a: |\n  x\n  \tz\nb: [\n]', { a: 'x\n\tz\n', b: [] }],
];

t.test('lines of a flow collection and of a quoted scalar may have any indentation, also tabs', async (t) => {
  for (const [text, value] of indentation) t.same(readValue(text), value, JSON.stringify(text));
});

t.test('a tab that indents a block, and a line of another mapping, are refused as kubectl refuses them', async (t) => {
  for (const text of [
    'a:\n\tb: c',
    '\ta: b',
    'a:\n \t- b',
    'a:\n   b: 1\n  c: 2',
    'a: [x',
    'a: [x\n\t]',
    'a: {b: c\n\t\t, d: e}',
    "a: 'x\n---\n'",
  ]) {
    t.match(readDocuments(text, 'x.yaml').unread, [{ problem: { code: 'bad-yaml' } }], JSON.stringify(text));
  }
});

t.test('places in a document with such lines are right, also those of later documents', async (t) => {
  const text = `${namespace('a')}---\n${namespace('b')}  annotations: {\nx: z,\n\ty: z}\n  uid: 1\n---\n${namespace('1')}`;
  t.same(parseManifest(text, 'x.yaml').problems.map(problemLine), [
    'wrong-type: Namespace b (x.yaml:15, metadata.uid): 1 is not a string; put the value in quotes',
    'wrong-type: Namespace (no name) (x.yaml:20, metadata.name): 1 is not a string; put the value in quotes',
  ]);
});

t.test('thousands of lines with tabs are read, or reported in limited time', async (t) => {
  const lines = (count: number) => `a: [\n${'\tx,\n'.repeat(count)}]`;
  t.equal((readValue(lines(300)) as { a: unknown[] }).a.length, 300);
  t.match(readValue(lines(50_000)), ['cannot parse as YAML or JSON: deficient indentation']);
});

const twice = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  labels:\n    team: x\n    team: z\n';

t.test('the last value of a duplicate key is used, with a warning that names key and line', async (t) => {
  const { entries, problems, unread } = parseManifest(`# first\n---\n${twice}`, 'x.yaml');
  t.match(entries, [{ object: { name: 'a', labels: { team: 'z' } } }]);
  t.same(problems.map(problemLine), [
    'duplicate-key: x.yaml:9: key "team" is repeated, and the last value is used; remove one of the two keys',
  ]);
  t.same(unread, []);
});

t.test('duplicate keys are found in flow mappings, in lists, in JSON, and beside merge keys', async (t) => {
  const warnings = (text: string) =>
    readDocuments(text, 'x').warnings.map(({ place, fault }) => `${place} ${fault.slice(4, 9)}`);
  t.same(warnings('{a: 1, a: 2}'), ['x:1 "a" i']);
  t.same(warnings('- a: {b: 1,\n   b: 2}\n- b: 1\n- b: 1\n  c: 1\n  c: [x]\n'), ['x:2 "b" i', 'x:6 "c" i']);
  t.same(warnings('{"a": [{"b": 1}, {"b": 1}],\n "c": {"a": "a"},\n "a": "}"}'), ['x:3 "a" i']);
  t.same(warnings('{"a\\"": 1, "b": "\\\\"}\n{"a": 1,\n"a": 1}'), ['x:3 "a" i']);
  t.same(warnings('a: &a {b: 1}\nc: {<<: *a, b: 2, <<: *a}'), []);
  t.same(warnings('yes: 1\ntrue: 2\n'), ['x:2 "true']);
  t.same(readValue('a: &a {b: 1}\nc: {<<: *a, b: 2, b: 3}'), { a: { b: 1 }, c: { b: 3 } });
});

t.test('of very many duplicate keys, the first 50 are reported', async (t) => {
  const { warnings } = readDocuments('a: 1\n'.repeat(1_000), 'x');
  t.equal(warnings.length, 50);
  t.match(warnings.at(-1)!.fault, /and 949 more keys/);
});

t.test('UTF-16 with a byte order mark is read in both byte orders', async (t) => {
  const little = Buffer.from(`\ufeff${namespace('a')}`, 'utf16le');
  const big = Buffer.from(`\ufeff${namespace('b')}---\n${namespace('c')}`, 'utf16le').swap16();
  const { path } = folder(t, { 'little.yaml': little, 'big.yaml': big, 'utf8.yaml': `\ufeff${namespace('d')}` });
  const { objects, problems } = await readManifests(path);
  t.same(problems, []);
  t.same(objects.map(({ name }) => name).sort(), ['a', 'b', 'c', 'd']);
});
