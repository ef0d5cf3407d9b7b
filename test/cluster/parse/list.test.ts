import t from 'tap';
import { unfold } from '../../../cluster/parse/list.ts';

const raws = (value: unknown) => Array.from(unfold(value), (item) => item.raw);
const web = { metadata: { name: 'web' } };

t.test('items of a typed list take their kind and apiVersion from it', async (t) => {
  t.same(raws({ kind: 'PodList', apiVersion: 'v1', items: [web] }), [{ kind: 'Pod', apiVersion: 'v1', ...web }]);
  const own = { kind: 'Pod', apiVersion: 'v2', ...web };
  t.same(raws({ kind: 'PodList', apiVersion: 'v1', items: [own] }), [own]);
});

t.test('items of a List keep their own kind, and lists may stand in lists', async (t) => {
  const pod = { kind: 'Pod', ...web };
  t.same(raws({ kind: 'List', items: [pod, { kind: 'List', items: [pod] }] }), [pod, pod]);
});

t.test('items know their place', async (t) => {
  const inner = { kind: 'List', items: [web] };
  t.same(
    Array.from(unfold({ kind: 'List', items: [web, inner] })).map((item) => item.path),
    [
      ['items', 0],
      ['items', 1, 'items', 0],
    ],
  );
});

t.test('an empty list has no items; what is no list is itself', async (t) => {
  t.same(raws({ kind: 'PodList', items: null }), []);
  for (const other of [web, { kind: 'PodList' }, { kind: 'PodList', items: {} }, null, 1, []])
    t.same(raws(other), [other]);
});

t.test('lists within lists are followed only so deep', async (t) => {
  let list: unknown = web;
  for (let depth = 0; depth < 50; depth++) list = { kind: 'List', items: [list] };
  t.match(raws(list), [{ kind: 'List' }]);
});
