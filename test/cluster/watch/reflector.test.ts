import t from 'tap';
import { apiServer } from '../../../cluster/watch/api-server.ts';
import { Reflector } from '../../../cluster/watch/reflector.ts';
import { clusterResources } from '../../../cluster/watch/resources.ts';
import type { ClusterEvent } from '../../../model/kubernetes.ts';
import { problemLine } from '../../../model/problem.ts';
import { HandClock } from '../../scene/hand-clock.ts';
import { ScriptedServer } from './scripted-server.ts';

const notFound = 'the server could not find the requested resource';
const policy = (name: string) => ({
  metadata: { name, uid: name, resourceVersion: '2' },
  spec: { tier: 'Admin', priority: 1, subject: { namespaces: {} } },
});

/** ClusterNetworkPolicies, which a cluster need not have. `said` is all that was told; `heard(n)` waits for so much. */
async function scene(t: { teardown(end: () => Promise<void>): void }) {
  const server = new ScriptedServer();
  const clock = new HandClock();
  const said: string[] = [];
  let arrived = (): void => {};
  const say = (word: string): void => {
    said.push(word);
    arrived();
  };
  const heard = async (count: number): Promise<void> => {
    while (said.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      arrived = resolve;
      await promise;
    }
  };
  const reflector = new Reflector({
    server: apiServer(await server.listen()),
    resource: clusterResources.find(({ kind }) => kind === 'ClusterNetworkPolicy')!,
    listFrom: 'etcd',
    clock,
    random: () => 0.5,
    receive: (event) => say(sentence(event)),
    onListed: () => say('listed'),
    onDeaf: () => say('deaf'),
  });
  const ending = new AbortController();
  const running = reflector.run(ending.signal);
  t.teardown(async () => {
    ending.abort();
    await running;
    await server.close();
  });
  return { server, clock, said, heard };
}

function sentence(event: ClusterEvent): string {
  if (event.type === 'put' || event.type === 'gone') return `${event.type} ${event.object.name}`;
  return event.type === 'problem' ? problemLine(event.problem) : event.type;
}

t.test('a kind that the API server does not know is told once, and asked for every half minute', async (t) => {
  const { server, clock, said, heard } = await scene(t);
  for (let asked = 1; asked <= 20; asked++) {
    (await server.next()).refuse(404, notFound);
    await heard(asked + 1);
    t.equal(server.asked.length, asked);
    clock.advance(30_000);
  }
  await server.next();
  t.same(said, ['absent', ...Array(20).fill('listed')], 'ten minutes are no silence');
});

t.test('a kind that is installed later is picked up', async (t) => {
  const { server, clock, said, heard } = await scene(t);
  (await server.next()).refuse(404, notFound);
  await heard(2);
  clock.advance(30_000);
  (await server.next()).list([policy('guard')], '5');
  await heard(4);
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '5' });
  t.same(said, ['absent', 'listed', 'put guard', 'listed']);
});

t.test('of a kind that is taken away there are no objects left, and it may come again', async (t) => {
  const { server, clock, said, heard } = await scene(t);
  (await server.next()).list([policy('guard')], '5');
  const watch = await server.next();
  clock.advance(100_000);
  watch.bookmark('6');
  watch.end();
  (await server.next()).refuse(404, notFound);
  await heard(5);
  t.same(said, ['put guard', 'listed', 'absent', 'gone guard', 'listed']);
  clock.advance(30_000);
  const list = await server.next();
  t.same(list.query, { limit: '500' });
  list.list([policy('other')], '9');
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '9' });
  t.same(said.slice(5), ['put other', 'listed']);
});

t.test('a kind that is not known while the API server does not answer makes deaf as any other', async (t) => {
  const { server, clock, said, heard } = await scene(t);
  (await server.next()).refuse(404, notFound);
  await heard(2);
  clock.advance(30_000);
  for (let failures = 1; !said.includes('deaf'); failures++) {
    (await server.next()).refuse(503, 'overloaded');
    await heard(2 + failures);
    clock.advance(60_000);
  }
  t.match(said, ['absent', 'listed', /^api-failed: API server, clusternetworkpolicies/]);
});
