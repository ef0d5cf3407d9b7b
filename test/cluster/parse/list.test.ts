import t from 'tap';
import { expandList } from '../../../cluster/parse/list.ts';

const raws = (value: unknown) => Array.from(expandList(value), (item) => item.raw);
const web = { metadata: { name: 'web' } };

t.test('items of a typed list take their kind and apiVersion from it', async (t) => {
  t.same(raws({ kind: 'PodList', apiVersion: 'v1', items: [web] }), [{ kind: 'Pod', apiVersion: 'v1', ...web }]);
  const own = { kind: 'Pod', apiVersion: 'v2', ...web };
  t.same(raws({ kind: 'PodList', apiVersion: 'v1', items: [own] }), [own]);
});

t.test('items of a List keep their own kind, and lists may be nested', async (t) => {
  const pod = { kind: 'Pod', ...web };
  t.same(raws({ kind: 'List', items: [pod, { kind: 'List', items: [pod] }] }), [pod, pod]);
});

t.test('each item has its path', async (t) => {
  const inner = { kind: 'List', items: [web] };
  t.same(
    Array.from(expandList({ kind: 'List', items: [web, inner] })).map((item) => item.path),
    [
      ['items', 0],
      ['items', 1, 'items', 0],
    ],
  );
});

t.test('an empty list has no items; any other value is yielded itself', async (t) => {
  t.same(raws({ kind: 'PodList', items: null }), []);
  for (const other of [web, { kind: 'PodList' }, { kind: 'PodList', items: {} }, null, 1, []])
    t.same(raws(other), [other]);
});

t.test('nested lists are expanded only to a limited depth', async (t) => {
  let list: unknown = web;
  for (let depth = 0; depth < 50; depth++) list = { kind: 'List', items: [list] };
  t.match(raws(list), [{ kind: 'List' }]);
});
