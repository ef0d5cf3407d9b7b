import { renameSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../cluster/clock.ts';
import { manifestSource } from '../../../cluster/manifests/watch.ts';
import type { ClusterEvent } from '../../../model/kubernetes.ts';
import { ClusterEvents } from '../../scene/cluster-events.ts';
import { until } from '../../scene/until.ts';
import { folder, namespace } from './folders.ts';

type Watched = { events: ClusterEvent[]; next: (count: number) => Promise<string[]> };
type Test = { teardown(end: () => Promise<void>): void };

/** `next(n)` waits for the next n events and returns them as text. */
async function watched(t: Test, path: string): Promise<Watched> {
  const source = manifestSource(path, systemClock);
  t.teardown(() => source.stop());
  const events = new ClusterEvents();
  await source.start(events.receive);
  const next = async (count: number) => (await events.next(count)).map(eventText);
  return { events: events.all, next };
}

function eventText(event: ClusterEvent): string {
  if (event.type === 'put' || event.type === 'gone') return `${event.type} ${event.object.name}`;
  return event.type === 'problem' ? `problem ${event.problem.code}` : event.type;
}

t.test('several folders are watched together, and the later definition of an object counts', async (t) => {
  const [one, other] = [folder(t, { 'a.yaml': namespace('a', 'one') }), folder(t, { 'b.yaml': namespace('b') })];
  const seen: ClusterEvent[] = [];
  const source = manifestSource([one.path, other.path], systemClock);
  t.teardown(() => source.stop());
  await source.start((event) => seen.push(event));
  t.match(seen, [{ object: { name: 'a' } }, { object: { name: 'b' } }, { type: 'synced' }]);
  other.write('a.yaml', namespace('a', 'two'));
  const replaced = () =>
    seen.some(
      (event) => event.type === 'put' && event.object.kind === 'Namespace' && event.object.labels.team === 'two',
    );
  await until('the later definition', replaced);
  t.match(
    seen.find(({ type }) => type === 'problem'),
    { problem: { code: 'duplicate-object' } },
  );
});

t.test('existing objects are reported, then synced, then each file that is added, changed or removed', async (t) => {
  const files = folder(t, { 'a.yaml': namespace('a') });
  const source = await watched(t, files.path);
  t.same(await source.next(2), ['put a', 'synced']);
  files.write('b.yaml', namespace('b'));
  t.same(await source.next(1), ['put b']);
  files.write('a.yaml', namespace('a', 'other'));
  t.same(await source.next(1), ['put a']);
  t.match(source.events.at(-1), { object: { labels: { team: 'other' } } });
  files.remove('b.yaml');
  t.same(await source.next(1), ['gone b']);
});

t.test('a folder is watched when it is added, removed and added again', async (t) => {
  const files = folder(t, { 'sub/b.yaml': namespace('b') });
  const source = await watched(t, files.path);
  t.same(await source.next(2), ['put b', 'synced']);
  files.remove('sub');
  t.same(await source.next(1), ['gone b']);
  files.write('sub/c.yaml', namespace('c'));
  t.same(await source.next(1), ['put c']);
  files.write('sub/deeper/d.yaml', namespace('d'));
  t.same(await source.next(1), ['put d']);
});

t.test('an incompletely written file keeps its former objects, and its problem is reported once', async (t) => {
  const files = folder(t, { 'a.yaml': `${namespace('a')}---\n${namespace('b')}` });
  const source = await watched(t, files.path);
  t.same(await source.next(3), ['put a', 'put b', 'synced']);
  const half = `${namespace('a', 'other')}---\nkind: {`;
  files.write('a.yaml', half);
  t.same(await source.next(2), ['problem bad-yaml', 'put a']);
  files.write('a.yaml', half);
  files.write('z.yaml', namespace('z'));
  t.same(await source.next(1), ['put z'], 'the same problem is not reported again');
  files.write('a.yaml', namespace('a'));
  t.same(await source.next(3), ['fixed', 'put a', 'gone b']);
});

t.test(
  'the time of a change is when its file was written, but not before the last scan and not in the future',
  async (t) => {
    const files = folder(t);
    const source = await watched(t, files.path);
    t.same(await source.next(1), ['synced']);
    const afterUs = systemClock.nowUs();
    files.write('.old.yaml', namespace('old'));
    utimesSync(join(files.path, '.old.yaml'), new Date('2020-01-01'), new Date('2020-01-01'));
    renameSync(join(files.path, '.old.yaml'), join(files.path, 'old.yaml'));
    t.same(await source.next(1), ['put old']);
    files.write('.new.yaml', namespace('new'));
    utimesSync(join(files.path, '.new.yaml'), new Date('2090-01-01'), new Date('2090-01-01'));
    renameSync(join(files.path, '.new.yaml'), join(files.path, 'new.yaml'));
    t.same(await source.next(1), ['put new']);
    for (const { atUs } of source.events) {
      t.ok(atUs > afterUs - 60_000_000 && atUs <= systemClock.nowUs(), `${atUs} is within the time of this test`);
    }
  },
);

t.test('a single file is watched, even if an editor replaces it', async (t) => {
  const files = folder(t, { 'a.yaml': namespace('a') });
  const source = await watched(t, join(files.path, 'a.yaml'));
  t.same(await source.next(2), ['put a', 'synced']);
  files.write('a.new', `${namespace('a')}---\n${namespace('b')}`);
  renameSync(join(files.path, 'a.new'), join(files.path, 'a.yaml'));
  t.same(await source.next(1), ['put b']);
});

t.test('a mounted ConfigMap, whose files are links into a replaced folder, is watched', async (t) => {
  const files = folder(t, { '..1/a.yaml': namespace('a'), '..2/a.yaml': namespace('a', 'other') });
  symlinkSync('..1', join(files.path, '..data'));
  symlinkSync('..data/a.yaml', join(files.path, 'a.yaml'));
  const source = await watched(t, files.path);
  t.same(await source.next(2), ['put a', 'synced']);
  symlinkSync('..2', join(files.path, '..data_tmp'));
  renameSync(join(files.path, '..data_tmp'), join(files.path, '..data'));
  t.same(await source.next(1), ['put a']);
  t.match(source.events.at(-1), { object: { labels: { team: 'other' } } });
});

t.test('if the whole folder is removed, its objects stay and the problem is reported', async (t) => {
  const files = folder(t, { 'all/a.yaml': namespace('a') });
  const source = await watched(t, join(files.path, 'all'));
  t.same(await source.next(2), ['put a', 'synced']);
  renameSync(join(files.path, 'all'), join(files.path, 'moved'));
  t.same(await source.next(1), ['problem cannot-read']);
});

t.test('a path that never existed is refused at the start', async (t) => {
  const source = manifestSource('/nowhere/at-all', systemClock);
  await t.rejects(
    source.start(() => {}),
    { message: /^cannot-read: / },
  );
  await source.stop();
});

t.test('no event is reported after stop', async (t) => {
  const files = folder(t, { 'a.yaml': namespace('a') });
  const events: string[] = [];
  const source = manifestSource(files.path, systemClock);
  await source.start((event) => events.push(eventText(event)));
  files.write('b.yaml', namespace('b'));
  await source.stop();
  t.same(events, ['put a', 'synced']);
});

t.test('after a restart, the objects are compared with the former ones', async (t) => {
  const files = folder(t, { 'a.yaml': namespace('a'), 'b.yaml': namespace('b'), 'c.yaml': namespace('c') });
  const first = manifestSource(files.path, systemClock);
  const before = new ClusterEvents();
  await first.start(before.receive);
  await first.stop();
  const { untilUs } = first.known();
  const objects = before.all.flatMap((event) => (event.type === 'put' ? { object: event.object, version: '' } : []));
  files.remove('a.yaml');
  files.write('b.yaml', namespace('b', 'other'));
  utimesSync(join(files.path, 'b.yaml'), (untilUs.Pod! + 1_000) / 1_000_000, (untilUs.Pod! + 1_000) / 1_000_000);
  await until('b is not from the future', () => systemClock.nowUs() > untilUs.Pod! + 2_000);
  files.write('c.yaml', namespace('c', 'other'));
  utimesSync(join(files.path, 'c.yaml'), new Date('2020-01-01'), new Date('2020-01-01'));
  const again = manifestSource(files.path, systemClock);
  t.teardown(() => again.stop());
  const after = new ClusterEvents();
  await again.start(after.receive, { untilUs, objects });
  t.same(after.all.map(eventText), ['put b', 'put c', 'gone a', 'synced']);
  const [written, old, removed] = after.all;
  t.notOk('sinceUs' in written!, 'when its file was written is known');
  t.ok(written!.atUs >= untilUs.Pod! && written!.atUs <= old!.atUs);
  for (const one of [old, removed]) t.match(one, { sinceUs: untilUs.Pod });
});
