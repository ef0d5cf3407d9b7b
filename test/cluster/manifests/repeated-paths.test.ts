// A path that is given several times is read once.
import { symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../cluster/clock.ts';
import { readManifests, readSources } from '../../../cluster/manifests/read.ts';
import { manifestSource } from '../../../cluster/manifests/watch.ts';
import { problemLine } from '../../../model/problem.ts';
import { folder, namespace } from './folders.ts';

t.test('the same path, in any form and by a link, is read once', async (t) => {
  const { path } = folder(t, { 'a.yaml': namespace('a'), 'b.yaml': namespace('b') });
  const { path: links } = folder(t);
  symlinkSync(path, join(links, 'link'));
  for (const again of [
    path,
    `${path}/`,
    join(path, '..', path.split('/').at(-1)!),
    relative('.', path),
    `${links}/link`,
  ]) {
    for (const read of [readManifests, readSources]) {
      const { objects, problems } = await read([path, again]);
      t.same([objects.length, problems.map(problemLine)], [2, []], again);
    }
  }
});

t.test('the last place of a repeated path counts', async (t) => {
  const { path } = folder(t, { 'a.yaml': namespace('a', 'one'), 'b.yaml': namespace('a', 'two') });
  const [one, two] = [join(path, 'a.yaml'), join(path, 'b.yaml')];
  const { objects, problems } = await readManifests([one, two, one]);
  t.match(objects, [{ labels: { team: 'one' } }]);
  t.equal(problems.length, 1, 'only the other file defines it too');
});

t.test('a path that does not exist is still an error if it is given twice', async (t) => {
  const error = await readManifests(['/no/such/path', '/no/such/path']).catch((thrown) => thrown);
  t.match(error, { problems: [{ code: 'cannot-read' }] });
  t.equal(error.problems.length, 1);
});

t.test('a watched path that is given twice is read once', async (t) => {
  const { path } = folder(t, { 'a.yaml': namespace('a') });
  const events: string[] = [];
  const source = manifestSource([path, `${path}/`], systemClock);
  t.teardown(() => source.stop());
  await source.start((event) => {
    events.push(event.type === 'problem' ? problemLine(event.problem) : event.type);
  });
  t.same(events, ['put', 'synced']);
});
