import { renameSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../cluster/clock.ts';
import { manifestSource } from '../../../cluster/manifests/watch.ts';
import type { ClusterEvent } from '../../../model/kubernetes.ts';
import { folder, namespace } from './folders.ts';

type Told = { events: ClusterEvent[]; until: (count: number) => Promise<string[]> };
type Test = { teardown(end: () => Promise<void>): void };

/** `until(n)` waits for n events since the one before and says them. */
async function watched(t: Test, path: string): Promise<Told> {
  const source = manifestSource(path, systemClock);
  t.teardown(() => source.stop());
  const events: ClusterEvent[] = [];
  let arrived = (): void => {};
  await source.start((event) => {
    events.push(event);
    arrived();
  });
  let said = 0;
  const until = async (count: number): Promise<string[]> => {
    while (events.length < said + count) {
      const next = Promise.withResolvers<void>();
      arrived = next.resolve;
      await next.promise;
    }
    const some = events.slice(said, said + count);
    said += count;
    return some.map(sentence);
  };
  return { events, until };
}

function sentence(event: ClusterEvent): string {
  if (event.type === 'put' || event.type === 'gone') return `${event.type} ${event.object.name}`;
  return event.type === 'problem' ? `problem ${event.problem.code}` : event.type;
}

t.test('what there is is told, then synced, then each file that comes, changes and goes', async (t) => {
  const files = folder(t, { 'a.yaml': namespace('a') });
  const told = await watched(t, files.path);
  t.same(await told.until(2), ['put a', 'synced']);
  files.write('b.yaml', namespace('b'));
  t.same(await told.until(1), ['put b']);
  files.write('a.yaml', namespace('a', 'other'));
  t.same(await told.until(1), ['put a']);
  t.match(told.events.at(-1), { object: { labels: { team: 'other' } } });
  files.remove('b.yaml');
  t.same(await told.until(1), ['gone b']);
});

t.test('folders that come, go, and come again are watched', async (t) => {
  const files = folder(t, { 'sub/b.yaml': namespace('b') });
  const told = await watched(t, files.path);
  t.same(await told.until(2), ['put b', 'synced']);
  files.remove('sub');
  t.same(await told.until(1), ['gone b']);
  files.write('sub/c.yaml', namespace('c'));
  t.same(await told.until(1), ['put c']);
  files.write('sub/deeper/d.yaml', namespace('d'));
  t.same(await told.until(1), ['put d']);
});

t.test('a file that is half written keeps its objects and tells the problem, once', async (t) => {
  const files = folder(t, { 'a.yaml': `${namespace('a')}---\n${namespace('b')}` });
  const told = await watched(t, files.path);
  t.same(await told.until(3), ['put a', 'put b', 'synced']);
  const half = `${namespace('a', 'other')}---\nkind: {`;
  files.write('a.yaml', half);
  t.same(await told.until(2), ['problem bad-yaml', 'put a']);
  files.write('a.yaml', half);
  files.write('z.yaml', namespace('z'));
  t.same(await told.until(1), ['put z'], 'nothing else was told meanwhile');
  files.write('a.yaml', namespace('a'));
  t.same(await told.until(2), ['put a', 'gone b']);
});

t.test('a change happened when its file was written, but not before the last look and not in the future', async (t) => {
  const files = folder(t);
  const told = await watched(t, files.path);
  t.same(await told.until(1), ['synced']);
  const afterUs = systemClock.nowUs();
  files.write('.old.yaml', namespace('old'));
  utimesSync(join(files.path, '.old.yaml'), new Date('2020-01-01'), new Date('2020-01-01'));
  renameSync(join(files.path, '.old.yaml'), join(files.path, 'old.yaml'));
  t.same(await told.until(1), ['put old']);
  files.write('.new.yaml', namespace('new'));
  utimesSync(join(files.path, '.new.yaml'), new Date('2090-01-01'), new Date('2090-01-01'));
  renameSync(join(files.path, '.new.yaml'), join(files.path, 'new.yaml'));
  t.same(await told.until(1), ['put new']);
  for (const { atUs } of told.events) {
    t.ok(atUs > afterUs - 60_000_000 && atUs <= systemClock.nowUs(), `${atUs} lies in the time of this test`);
  }
});

t.test('a path that is one file is watched, also where an editor puts another in its place', async (t) => {
  const files = folder(t, { 'a.yaml': namespace('a') });
  const told = await watched(t, join(files.path, 'a.yaml'));
  t.same(await told.until(2), ['put a', 'synced']);
  files.write('a.new', `${namespace('a')}---\n${namespace('b')}`);
  renameSync(join(files.path, 'a.new'), join(files.path, 'a.yaml'));
  t.same(await told.until(1), ['put b']);
});

t.test('a mounted ConfigMap, whose files are links into a folder that is swapped, is watched', async (t) => {
  const files = folder(t, { '..1/a.yaml': namespace('a'), '..2/a.yaml': namespace('a', 'other') });
  symlinkSync('..1', join(files.path, '..data'));
  symlinkSync('..data/a.yaml', join(files.path, 'a.yaml'));
  const told = await watched(t, files.path);
  t.same(await told.until(2), ['put a', 'synced']);
  symlinkSync('..2', join(files.path, '..data_tmp'));
  renameSync(join(files.path, '..data_tmp'), join(files.path, '..data'));
  t.same(await told.until(1), ['put a']);
  t.match(told.events.at(-1), { object: { labels: { team: 'other' } } });
});

t.test('where the whole folder is gone its objects stay, and the problem is told', async (t) => {
  const files = folder(t, { 'all/a.yaml': namespace('a') });
  const told = await watched(t, join(files.path, 'all'));
  t.same(await told.until(2), ['put a', 'synced']);
  renameSync(join(files.path, 'all'), join(files.path, 'elsewhere'));
  t.same(await told.until(1), ['problem cannot-read']);
});

t.test('a path that never was there is refused at the start', async (t) => {
  const source = manifestSource('/nowhere/at-all', systemClock);
  await t.rejects(
    source.start(() => {}),
    { message: /^cannot-read: / },
  );
  await source.stop();
});

t.test('after stop nothing is told', async (t) => {
  const files = folder(t, { 'a.yaml': namespace('a') });
  const events: string[] = [];
  const source = manifestSource(files.path, systemClock);
  await source.start((event) => events.push(sentence(event)));
  files.write('b.yaml', namespace('b'));
  await source.stop();
  t.same(events, ['put a', 'synced']);
});
