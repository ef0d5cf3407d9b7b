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

/** Reflects ClusterNetworkPolicies, an optional kind. `events` has everything so far; `count(n)` waits for n events. */
async function scene(t: { teardown(end: () => Promise<void>): void }) {
  const server = new ScriptedServer();
  const clock = new HandClock();
  const events: string[] = [];
  let arrived = (): void => {};
  const add = (event: string): void => {
    events.push(event);
    arrived();
  };
  const count = async (expected: number): Promise<void> => {
    while (events.length < expected) {
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
    receive: (event) => add(eventText(event)),
    onListed: () => add('listed'),
    onStale: () => add('stale'),
    onFresh: () => add('fresh'),
  });
  const ending = new AbortController();
  const running = reflector.run(ending.signal);
  t.teardown(async () => {
    ending.abort();
    await running;
    await server.close();
  });
  return { server, clock, events, count };
}

function eventText(event: ClusterEvent): string {
  if (event.type === 'put' || event.type === 'gone') return `${event.type} ${event.object.name}`;
  return event.type === 'problem' ? problemLine(event.problem) : event.type;
}

t.test('an unknown kind is reported once as absent, and requested every 30 s', async (t) => {
  const { server, clock, events, count } = await scene(t);
  for (let requests = 1; requests <= 20; requests++) {
    (await server.next()).refuse(404, notFound);
    await count(requests + 1);
    t.equal(server.requests.length, requests);
    clock.advance(30_000);
  }
  await server.next();
  t.same(events, ['absent', ...Array(20).fill('listed')], '10 minutes without the kind do not count as silence');
});

t.test('a kind that is installed later is listed and watched', async (t) => {
  const { server, clock, events, count } = await scene(t);
  (await server.next()).refuse(404, notFound);
  await count(2);
  clock.advance(30_000);
  (await server.next()).list([policy('guard')], '5');
  await count(4);
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '5' });
  t.same(events, ['absent', 'listed', 'put guard', 'listed']);
});

t.test('the objects of a removed kind are gone, and the kind may be installed again', async (t) => {
  const { server, clock, events, count } = await scene(t);
  (await server.next()).list([policy('guard')], '5');
  const watch = await server.next();
  clock.advance(80_000);
  watch.bookmark('6');
  watch.end();
  (await server.next()).refuse(404, notFound);
  await count(5);
  t.same(events, ['put guard', 'listed', 'absent', 'gone guard', 'listed']);
  clock.advance(30_000);
  const list = await server.next();
  t.same(list.query, { limit: '500' });
  list.list([policy('other')], '9');
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '9' });
  t.same(events.slice(5), ['put other', 'listed']);
});

t.test('an unknown kind is reported as stale like any other if the API server stops answering', async (t) => {
  const { server, clock, events, count } = await scene(t);
  (await server.next()).refuse(404, notFound);
  await count(2);
  clock.advance(30_000);
  for (let failures = 1; !events.includes('stale'); failures++) {
    (await server.next()).refuse(503, 'overloaded');
    await count(2 + failures);
    clock.advance(60_000);
  }
  t.match(events, ['absent', 'listed', /^api-failed: API server, clusternetworkpolicies/]);
});

t.test('of a policy, a new generation is a missed change; a new resourceVersion alone is not', async (t) => {
  const { server, clock, events, count } = await scene(t);
  const versioned = (name: string, resourceVersion: string, generation: number) => {
    const { metadata, spec } = policy(name);
    return { metadata: { ...metadata, resourceVersion, generation }, spec };
  };
  (await server.next()).list([versioned('guard', '2', 1), versioned('other', '3', 1)], '5');
  (await server.next()).refuse(410, 'too old resource version');
  await clock.waiting(1_000);
  clock.advance(1_000);
  (await server.next()).list([versioned('guard', '8', 1), versioned('other', '9', 2)], '10');
  await count(5);
  t.same(events, ['put guard', 'put other', 'listed', 'put other', 'listed']);
});
