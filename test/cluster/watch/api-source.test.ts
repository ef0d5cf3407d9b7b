import t from 'tap';
import { apiServer } from '../../../cluster/watch/api-server.ts';
import { type ApiSourceOptions, apiSource } from '../../../cluster/watch/api-source.ts';
import type { ClusterEvent } from '../../../model/kubernetes.ts';
import { problemLine } from '../../../model/problem.ts';
import { HandClock } from '../../scene/hand-clock.ts';
import { ScriptedServer } from './scripted-server.ts';

const pod = (name: string, resourceVersion: string, rest: Record<string, unknown> = {}) => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion },
  ...rest,
});
const running = (ip: string) => ({ status: { phase: 'Running', podIP: ip } });

type Test = { teardown(end: () => Promise<void>): void };
const ofNode = { of: 'node', node: 'n1' } as const;
const ofCluster = { of: 'cluster' } as const;

/** `told(n)` waits for n events since the one before and says them. */
async function scene(t: Test, scope: ApiSourceOptions['scope'] = ofNode) {
  const server = new ScriptedServer();
  const clock = new HandClock();
  const source = apiSource({ server: apiServer(await server.listen()), scope, clock, random: () => 0.5 });
  t.teardown(async () => {
    await source.stop();
    await server.close();
  });
  const events: ClusterEvent[] = [];
  let arrived = (): void => {};
  const started = source.start((event) => {
    events.push(event);
    arrived();
  });
  started.catch(() => {});
  let said = 0;
  const told = async (count: number): Promise<string[]> => {
    while (events.length < said + count) {
      const next = Promise.withResolvers<void>();
      arrived = next.resolve;
      await next.promise;
    }
    said += count;
    return events.slice(said - count, said).map(sentence);
  };
  return { server, clock, source, started, events, told };
}

function sentence(event: ClusterEvent): string {
  if (event.type === 'put' || event.type === 'gone') return `${event.type} ${event.object.kind} ${event.object.name}`;
  return event.type === 'problem' ? problemLine(event.problem) : event.type;
}

t.test('all pages of the list are told, then synced, then the changes that the watch tells', async (t) => {
  const { server, told, started, events, clock } = await scene(t, ofCluster);
  const pages: unknown[] = [];
  while (pages.length < 2) {
    const asked = await nextList(server);
    if (asked.path !== '/api/v1/pods') asked.list([], '1');
    else {
      pages.push(asked.query);
      if (pages.length === 1) asked.list([pod('a', '2')], '5', 'more');
      else asked.list([pod('b', '3')], '5');
    }
  }
  t.same(pages, [{ limit: '500' }, { limit: '500', continue: 'more' }]);
  while (new Set(server.asked.map((asked) => asked.path)).size < 9) (await nextList(server)).list([], '1');
  t.same(await told(3), ['put Pod a', 'put Pod b', 'synced']);
  await started;
  t.same(
    new Set(server.asked.map((asked) => asked.path)),
    new Set([
      '/api/v1/namespaces',
      '/api/v1/nodes',
      '/api/v1/services',
      '/apis/discovery.k8s.io/v1/endpointslices',
      '/apis/networking.k8s.io/v1/networkpolicies',
      '/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies',
      '/apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicies',
      '/apis/policy.networking.k8s.io/v1alpha1/baselineadminnetworkpolicies',
      '/api/v1/pods',
    ]),
  );
  t.ok(server.asked.every((asked) => asked.headers.authorization === 'Bearer t0ken'));
  t.ok(events.every((event) => event.atUs === clock.nowUs()));
});

async function nextList(server: ScriptedServer) {
  let asked = await server.next();
  while (asked.isWatch) asked = await server.next();
  return asked;
}

t.test('an agent asks for the pods of its node, and takes them from the memory of the API server', async (t) => {
  const { server, told } = await scene(t);
  const list = await server.next();
  t.equal(list.path, '/api/v1/pods');
  t.same(list.query, {
    fieldSelector: 'spec.nodeName=n1',
    resourceVersion: '0',
    resourceVersionMatch: 'NotOlderThan',
  });
  list.list([pod('a', '2')], '5');
  t.same(await told(2), ['put Pod a', 'synced']);
  const watch = await server.next();
  t.match(watch.query, {
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: '5',
    fieldSelector: 'spec.nodeName=n1',
    timeoutSeconds: '375',
  });
});

/** Listed and watched: pod a at version 5. */
async function watching(t: Test) {
  const it = await scene(t);
  (await it.server.next()).list([pod('a', '2', running('10.0.0.1'))], '5');
  await it.told(2);
  return { ...it, watch: await it.server.next() };
}

t.test('the watch tells what comes, changes and goes; what says nothing new is not told again', async (t) => {
  const { watch, told, events } = await watching(t);
  watch.event('ADDED', pod('b', '6'));
  watch.event('MODIFIED', pod('a', '7', running('10.0.0.1')));
  watch.event('MODIFIED', pod('a', '8', { status: { phase: 'Succeeded', podIP: '10.0.0.1' } }));
  watch.event('DELETED', pod('b', '9'));
  t.same(await told(3), ['put Pod b', 'put Pod a', 'gone Pod b']);
  t.match(events.at(-2), { object: { addresses: [] } });
});

t.test('a pod that took the name of another is another pod', async (t) => {
  const { watch, told, events } = await watching(t);
  const other = pod('a', '6');
  watch.event('MODIFIED', { ...other, metadata: { ...other.metadata, uid: 'new' } });
  t.same(await told(2), ['gone Pod a', 'put Pod a']);
  t.match(events.slice(-2), [{ object: { uid: 'uid-a' } }, { object: { uid: 'new' } }]);
});

t.test('events that are cut anywhere into packets are read', async (t) => {
  const { watch, told } = await watching(t);
  const line = JSON.stringify({ type: 'ADDED', object: pod('ä', '6', { metadata: { ...pod('b', '6').metadata } }) });
  for (const piece of line.match(/.{1,7}/g)!) watch.text(piece);
  watch.text('\n\n');
  t.same(await told(1), ['put Pod b']);
});

t.test('a watch that the server ends in its time goes on from the last bookmark, without a list', async (t) => {
  const { server, watch, clock, told } = await watching(t);
  watch.event('ADDED', pod('b', '6'));
  await told(1);
  clock.advance(100_000);
  watch.bookmark('42');
  watch.end();
  const again = await server.next();
  t.match(again.query, { watch: 'true', resourceVersion: '42' });
});

t.test('a connection that is cut is opened again after a moment, without a list and without a word', async (t) => {
  const { server, watch, clock, told, events } = await watching(t);
  watch.event('ADDED', pod('b', '6'));
  await told(1);
  watch.cut();
  await clock.waiting(1_000);
  t.equal(server.asked.length, 2, 'not at once');
  clock.advance(1_000);
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '6' });
  t.notMatch(events, [{ type: 'problem' }]);
});

t.test('rows of failures wait longer and longer, and are told', async (t) => {
  const { server, watch, clock, told } = await watching(t);
  watch.cut();
  await clock.waiting(1_000);
  clock.advance(1_000);
  (await server.next()).cut();
  t.match(await told(1), [/^api-unreachable: API server, pods: no valid response, retrying: .+; check the address/]);
  await clock.waiting(1_500);
  clock.advance(1_400);
  t.equal(server.asked.length, 3, 'not before 1.5 s');
  clock.advance(100);
  (await server.next()).refuse(503, 'overloaded', { 'retry-after': '30' });
  t.match(await told(1), [
    'api-failed: API server, pods: the request failed, retrying: overloaded; check the log of the API server if this persists',
  ]);
  await clock.waiting(31_000);
  clock.advance(29_000);
  t.equal(server.asked.length, 4, 'the server asked for 30 s');
  clock.advance(2_000);
  t.match((await server.next()).query, { watch: 'true' });
});

for (const [how, expire] of [
  ['as an event', 'event'],
  ['as an answer', 'answer'],
] as const) {
  t.test(`410 ${how} means one list, after a moment; what vanished meanwhile is gone`, async (t) => {
    const { server, watch, clock, told, events } = await watching(t);
    if (expire === 'event') watch.event('ERROR', { kind: 'Status', code: 410, message: 'too old resource version' });
    else {
      watch.cut();
      await clock.waiting(1_000);
      clock.advance(1_000);
      (await server.next()).refuse(410, 'too old resource version');
    }
    await clock.waiting(2_000);
    clock.advance(2_000);
    const list = await server.next();
    t.equal(list.isWatch, false);
    t.match(list.query, { resourceVersion: '5', resourceVersionMatch: 'NotOlderThan' });
    list.list([pod('b', '8')], '9');
    t.same(await told(2), ['put Pod b', 'gone Pod a']);
    t.match((await server.next()).query, { watch: 'true', resourceVersion: '9' });
    t.notMatch(
      events.map((event) => event.type),
      ['problem'],
    );
  });
}

t.test('a list that the memory of the API server cannot answer is asked of etcd', async (t) => {
  const { server, watch, clock, told } = await watching(t);
  watch.event('ERROR', { kind: 'Status', code: 410 });
  await clock.waiting(1_000);
  clock.advance(1_000);
  (await server.next()).refuse(504, 'Too large resource version');
  await told(1);
  await clock.waiting(2_000);
  clock.advance(2_000);
  const list = await server.next();
  t.same(list.query, { limit: '500', fieldSelector: 'spec.nodeName=n1' });
  list.list([pod('a', '2', running('10.0.0.1'))], '9');
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '9' });
});

t.test('a list whose next page has expired is asked for anew, in one piece', async (t) => {
  const { server, clock, told } = await scene(t, ofCluster);
  for (;;) {
    const asked = await nextList(server);
    if (asked.path !== '/api/v1/pods') asked.list([], '1');
    else if ('continue' in asked.query) {
      asked.refuse(410, 'the continue token is too old');
      break;
    } else asked.list([pod('a', '2')], '5', 'more');
  }
  t.same(await told(1), ['put Pod a']);
  await clock.waiting(1_000);
  clock.advance(1_000);
  let list = await nextList(server);
  while (list.path !== '/api/v1/pods') {
    list.list([], '1');
    list = await nextList(server);
  }
  t.same(list.query, {});
  list.list([pod('b', '8')], '9');
  t.same((await told(2)).slice(0, 2), ['put Pod b', 'gone Pod a']);
});

t.test('a watch gone silent is an alarm, and then the objects equal a fresh list', async (t) => {
  const { server, watch, clock, told, events } = await watching(t);
  clock.advance(100_000);
  watch.bookmark('6');
  watch.event('ADDED', pod('b', '7'));
  await told(1);
  const heardUs = clock.nowUs();
  clock.advance(179_999);
  t.equal(events.length, 3);
  clock.advance(1);
  t.same(await told(2), [
    'deaf',
    'watch-silent: API server, pods: the watch sent no event or bookmark for 180 s, so all objects are listed again; look for a proxy that buffers the stream if this repeats',
  ]);
  t.match(events.at(-2), { type: 'deaf', sinceUs: heardUs });
  await watch.closed;
  await clock.waiting(1_000);
  clock.advance(1_000);
  const list = await server.next();
  t.equal(list.isWatch, false);
  list.list([pod('b', '7'), pod('c', '8')], '9');
  t.same(await told(3), ['put Pod c', 'gone Pod a', 'synced']);
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '9' });
});

t.test('an API server that cannot be reached for as long makes deaf too, and is listed afresh after it', async (t) => {
  const { server, watch, clock, told, events } = await watching(t);
  watch.cut();
  await clock.waiting(1_000);
  clock.advance(1_000);
  for (let asked = 3; !events.some((event) => event.type === 'deaf'); asked += 1) {
    (await server.next()).cut();
    t.match(await told(1), [/^api-unreachable/]);
    t.equal(server.asked.length, asked, 'one request at a time');
    clock.advance(60_000);
  }
  const list = await nextList(server);
  list.list([], '9');
  for (;;) if ((await told(1))[0] === 'synced') break;
  t.match(events.slice(-2), [{ type: 'gone' }, { type: 'synced' }]);
});

t.test('an object that is not valid is told once, left out, and the rest goes on', async (t) => {
  const { watch, told, events } = await watching(t);
  const broken = (version: string) => pod('b', version, running('nowhere'));
  watch.event('ADDED', broken('6'));
  watch.event('MODIFIED', broken('7'));
  watch.event('ADDED', pod('c', '8'));
  t.same(await told(2), [
    'bad-address: Pod shop/b (status.podIP): invalid IP address "nowhere"; write an IPv4 or IPv6 address',
    'put Pod c',
  ]);
  watch.event('MODIFIED', pod('b', '9', running('10.0.0.9')));
  watch.event('MODIFIED', broken('10'));
  t.same(
    (await told(3)).map((line) => line.slice(0, 11)),
    ['put Pod b', 'bad-address', 'gone Pod b'],
  );
  t.equal(events.length, 7);
});

t.test('what is no event makes it list again: from the same version on the same would come', async (t) => {
  for (const text of [
    '{"type":"ADDED"\n',
    '{"type":"ADDED","object":{}}\n',
    '{"type":"GUESS","object":{"metadata":{"resourceVersion":"1"}}}\n',
  ]) {
    const { server, watch, clock, told } = await watching(t);
    watch.text(text);
    await clock.waiting(1_000);
    clock.advance(1_000);
    const list = await server.next();
    t.equal(list.isWatch, false);
    list.list([], '9');
    t.same(await told(1), ['gone Pod a']);
  }
});

t.test('an answer that is no list does not pass for an empty cluster', async (t) => {
  const { server, watch, clock, told } = await watching(t);
  watch.event('ERROR', { kind: 'Status', code: 410 });
  await clock.waiting(1_000);
  clock.advance(1_000);
  const asked = await server.next();
  asked.text('{"items":[]}');
  asked.end();
  t.match(await told(1), [
    /^api-unreachable: API server, pods: no valid response, retrying: the response is not a list/,
  ]);
});

for (const [status, mend] of [
  [401, 'renew the token or certificate'],
  [403, "allow list and watch of pods in the service account's ClusterRole"],
  [404, 'use a cluster that serves this API version'],
] as const) {
  t.test(`${status} at the start is a ProblemError that names the mend`, async (t) => {
    const { server, started } = await scene(t);
    (await server.next()).refuse(status, 'no');
    await t.rejects(started, {
      message: `api-refused: API server, pods: the request was refused with status ${status}; ${mend}`,
    });
  });
}

const clusterPolicies = '/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies';
const notFound = 'the server could not find the requested resource';

/** The next request for them. Meanwhile the kinds of v1alpha1 are not known, and of all others there are none. */
async function nextForCrd(server: ScriptedServer) {
  for (;;) {
    const asked = await server.next();
    if (asked.path === clusterPolicies) return asked;
    if (asked.path.includes('/v1alpha1/')) asked.refuse(404, notFound);
    else if (!asked.isWatch) asked.list([], '1');
  }
}

t.test('an API server without the kinds of cluster policies is synced with all the same', async (t) => {
  const { server, told, started } = await scene(t, ofCluster);
  (await nextForCrd(server)).refuse(404, notFound);
  nextForCrd(server).catch(() => {});
  t.same(await told(4), ['absent', 'absent', 'absent', 'synced']);
  await started;
});

t.test('403 for a kind that need not be there is refused as any other: its policies would not be known', async (t) => {
  const { server, started } = await scene(t, ofCluster);
  (await nextForCrd(server)).refuse(403, 'no');
  nextForCrd(server).catch(() => {});
  await t.rejects(started, {
    message: /^api-refused: API server, clusternetworkpolicies: .*403; allow list and watch/,
  });
});

t.test('a refusal later on is told, and asked again', async (t) => {
  const { server, watch, clock, told } = await watching(t);
  watch.cut();
  await clock.waiting(1_000);
  clock.advance(1_000);
  (await server.next()).refuse(403, 'no');
  t.match(await told(1), [/^api-refused/]);
  await clock.waiting(2_000);
  clock.advance(2_000);
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '5' });
});

t.test('a page that does not come is given up and asked for again', async (t) => {
  const { server, clock, told } = await scene(t);
  const asked = await server.next();
  clock.advance(60_000);
  await asked.closed;
  t.match(await told(1), [/^api-unreachable: API server, pods: no valid response, retrying: no response within 60 s/]);
  await clock.waiting(1_000);
  clock.advance(1_000);
  (await server.next()).list([], '1');
  t.same(await told(1), ['synced']);
});

t.test('stop ends the watch, and the start where it is not done', async (t) => {
  const { source, watch } = await watching(t);
  await source.stop();
  await watch.closed;
  const early = await scene(t);
  await early.server.next();
  await early.source.stop();
  await early.started;
  t.same(early.events, []);
});
