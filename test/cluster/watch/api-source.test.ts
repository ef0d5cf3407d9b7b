import t from 'tap';
import { apiServer } from '../../../cluster/watch/api-server.ts';
import { type ApiSourceOptions, apiSource } from '../../../cluster/watch/api-source.ts';
import { clusterResources } from '../../../cluster/watch/resources.ts';
import { type ClusterEvent, objectKey } from '../../../model/kubernetes.ts';
import { problemLine } from '../../../model/problem.ts';
import { groupOfKind, recognisedKinds } from '../../../model/recognised-policy.ts';
import { ClusterEvents } from '../../scene/cluster-events.ts';
import { HandClock } from '../../scene/hand-clock.ts';
import { until } from '../../scene/until.ts';
import { ScriptedServer } from './scripted-server.ts';

const pod = (name: string, resourceVersion: string, rest: Record<string, unknown> = {}) => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion },
  ...rest,
});
const running = (ip: string) => ({ status: { phase: 'Running', podIP: ip } });

type Test = { teardown(end: () => Promise<void>): void; equal(found: unknown, wanted: unknown): boolean };
const ofNode = { of: 'node', node: 'n1' } as const;
const ofCluster = { of: 'cluster' } as const;

/** `nextEvents(n)` waits for the next n events and returns them as text. */
async function scene(t: Test, scope: ApiSourceOptions['scope'] = ofNode) {
  const server = new ScriptedServer();
  const clock = new HandClock();
  const source = apiSource({ server: apiServer(await server.listen()), scope, clock, random: () => 0.5 });
  t.teardown(async () => {
    await source.stop();
    await server.close();
  });
  const events = new ClusterEvents();
  const started = source.start(events.receive);
  started.catch(() => {});
  const nextEvents = async (count: number) => (await events.next(count)).map(eventText);
  return { server, clock, source, started, events: events.all, nextEvents };
}

function eventText(event: ClusterEvent): string {
  if (event.type === 'put' || event.type === 'gone') return `${event.type} ${event.object.kind} ${event.object.name}`;
  return event.type === 'problem' ? problemLine(event.problem) : event.type;
}

t.test('all pages of the list are reported, then synced', async (t) => {
  const { server, nextEvents, started, events, clock } = await scene(t, ofCluster);
  const pages: unknown[] = [];
  while (pages.length < 2) {
    const request = await nextList(server);
    if (request.path !== '/api/v1/pods') request.list([], '1');
    else {
      pages.push(request.query);
      if (pages.length === 1) request.list([pod('a', '2')], '5', 'more');
      else request.list([pod('b', '3')], '5');
    }
  }
  t.same(pages, [{ limit: '500' }, { limit: '500', continue: 'more' }]);
  while (new Set(server.requests.map((request) => request.path)).size < clusterResources.length)
    (await nextList(server)).list([], '1');
  t.same(await nextEvents(3), ['put Pod a', 'put Pod b', 'synced']);
  await started;
  t.same(
    new Set(server.requests.map((request) => request.path)),
    new Set([
      '/api/v1/namespaces',
      '/api/v1/nodes',
      '/api/v1/services',
      '/apis/discovery.k8s.io/v1/endpointslices',
      '/apis/networking.k8s.io/v1/networkpolicies',
      '/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies',
      '/apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicies',
      '/apis/policy.networking.k8s.io/v1alpha1/baselineadminnetworkpolicies',
      '/apis/cilium.io/v2/ciliumnetworkpolicies',
      '/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies',
      '/apis/projectcalico.org/v3/networkpolicies',
      '/apis/projectcalico.org/v3/globalnetworkpolicies',
      '/apis/crd.projectcalico.org/v1/networkpolicies',
      '/apis/crd.projectcalico.org/v1/globalnetworkpolicies',
      '/apis/crd.antrea.io/v1beta1/networkpolicies',
      '/apis/crd.antrea.io/v1beta1/clusternetworkpolicies',
      '/apis/security.antrea.tanzu.vmware.com/v1alpha1/networkpolicies',
      '/apis/security.antrea.tanzu.vmware.com/v1alpha1/clusternetworkpolicies',
      '/apis/networking.gke.io/v1alpha1/fqdnnetworkpolicies',
      '/apis/networking.k8s.aws/v1alpha1/applicationnetworkpolicies',
      '/apis/networking.k8s.aws/v1alpha1/clusternetworkpolicies',
      '/apis/k8s.ovn.org/v1/egressfirewalls',
      '/apis/network.openshift.io/v1/egressnetworkpolicies',
      '/apis/security.istio.io/v1/authorizationpolicies',
      '/api/v1/pods',
    ]),
  );
  t.ok(server.requests.every((request) => request.headers.authorization === 'Bearer t0ken'));
  t.ok(events.every((event) => event.atUs === clock.nowUs()));
});

async function nextList(server: ScriptedServer) {
  let request = await server.next();
  while (request.isWatch) request = await server.next();
  return request;
}

t.test('an agent lists only the pods of its node, from the memory of the API server', async (t) => {
  const { server, nextEvents } = await scene(t);
  const list = await server.next();
  t.equal(list.path, '/api/v1/pods');
  t.same(list.query, {
    fieldSelector: 'spec.nodeName=n1',
    resourceVersion: '0',
    resourceVersionMatch: 'NotOlderThan',
  });
  list.list([pod('a', '2')], '5');
  t.same(await nextEvents(2), ['put Pod a', 'synced']);
  const watch = await server.next();
  t.match(watch.query, {
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: '5',
    fieldSelector: 'spec.nodeName=n1',
    timeoutSeconds: '375',
  });
});

/** Pod a is listed at version 5, and the watch is open. */
async function watching(t: Test) {
  const it = await scene(t);
  (await it.server.next()).list([pod('a', '2', running('10.0.0.1'))], '5');
  await it.nextEvents(2);
  return { ...it, watch: await it.server.next() };
}

t.test('the watch reports added, changed and deleted objects, but not an update that changes nothing', async (t) => {
  const { watch, nextEvents, events } = await watching(t);
  watch.event('ADDED', pod('b', '6'));
  watch.event('MODIFIED', pod('a', '7', running('10.0.0.1')));
  watch.event('MODIFIED', pod('a', '8', { status: { phase: 'Succeeded', podIP: '10.0.0.1' } }));
  watch.event('DELETED', pod('b', '9'));
  t.same(await nextEvents(3), ['put Pod b', 'put Pod a', 'gone Pod b']);
  t.match(events.at(-2), { object: { addresses: [] } });
});

t.test('a pod with the same name and another uid is a new pod', async (t) => {
  const { watch, nextEvents, events } = await watching(t);
  const other = pod('a', '6');
  watch.event('MODIFIED', { ...other, metadata: { ...other.metadata, uid: 'new' } });
  t.same(await nextEvents(2), ['gone Pod a', 'put Pod a']);
  t.match(events.slice(-2), [{ object: { uid: 'uid-a' } }, { object: { uid: 'new' } }]);
});

t.test('an event may be split across packets', async (t) => {
  const { watch, nextEvents } = await watching(t);
  const line = JSON.stringify({ type: 'ADDED', object: pod('ä', '6', { metadata: { ...pod('b', '6').metadata } }) });
  for (const piece of line.match(/.{1,7}/g)!) watch.text(piece);
  watch.text('\n\n');
  t.same(await nextEvents(1), ['put Pod b']);
});

t.test(
  'after a watch that the server ends normally, the next starts from the last bookmark, without a list',
  async (t) => {
    const { server, watch, clock, nextEvents } = await watching(t);
    watch.event('ADDED', pod('b', '6'));
    await nextEvents(1);
    clock.advance(80_000);
    watch.bookmark('42');
    watch.end();
    const again = await server.next();
    t.match(again.query, { watch: 'true', resourceVersion: '42' });
  },
);

t.test('a broken connection is opened again after a short wait, without a list and without a problem', async (t) => {
  const { server, watch, clock, nextEvents, events } = await watching(t);
  watch.event('ADDED', pod('b', '6'));
  await nextEvents(1);
  watch.cut();
  await clock.waiting(1_000);
  t.equal(server.requests.length, 2, 'not immediately');
  clock.advance(1_000);
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '6' });
  t.notOk(events.some(({ type }) => type === 'problem'));
});

t.test('consecutive failures wait longer each time, and are reported', async (t) => {
  const { server, watch, clock, nextEvents } = await watching(t);
  watch.cut();
  await clock.waiting(1_000);
  clock.advance(1_000);
  (await server.next()).cut();
  t.match(await nextEvents(1), [
    /^api-unreachable: API server, pods: no valid response, retrying: .+; check the address/,
  ]);
  await clock.waiting(1_500);
  clock.advance(1_400);
  t.equal(server.requests.length, 3, 'not before 1.5 s');
  clock.advance(100);
  (await server.next()).refuse(503, 'overloaded', { 'retry-after': '30' });
  t.match(await nextEvents(2), [
    'fixed',
    'api-failed: API server, pods: the request failed, retrying: overloaded; check the log of the API server if this persists',
  ]);
  await clock.waiting(31_000);
  clock.advance(29_000);
  t.equal(server.requests.length, 4, 'the server requested 30 s');
  clock.advance(2_000);
  t.equal((await server.next()).isWatch, false, 'a list, because the objects are stale by then');
});

for (const [how, expire] of [
  ['as an event', 'event'],
  ['as a response', 'response'],
] as const) {
  t.test(`410 ${how} leads to one list after a short wait; objects that are not in it are gone`, async (t) => {
    const { server, watch, clock, nextEvents, events } = await watching(t);
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
    t.same(await nextEvents(2), ['put Pod b', 'gone Pod a']);
    t.match((await server.next()).query, { watch: 'true', resourceVersion: '9' });
    t.notOk(events.some(({ type }) => type === 'problem'));
  });
}

t.test('410 after failures leads to a list within a second', async (t) => {
  const { server, watch, clock } = await watching(t);
  watch.cut();
  for (const waitMs of [500, 1_500, 3_000]) {
    await clock.waiting(waitMs);
    clock.advance(waitMs);
    if (waitMs < 3_000) (await server.next()).cut();
  }
  (await server.next()).refuse(410, 'too old resource version');
  await clock.waiting(1_000);
  clock.advance(1_000);
  t.equal((await server.next()).isWatch, false);
});

t.test('410 after each list waits longer each time', async (t) => {
  const { server, watch, clock } = await watching(t);
  watch.event('ERROR', { kind: 'Status', code: 410 });
  for (const waitMs of [500, 1_500, 3_000, 6_000]) {
    await until('the wait', () => clock.nextCallInMs <= waitMs);
    t.equal(clock.nextCallInMs, waitMs);
    clock.advance(waitMs);
    (await server.next()).list([], '9');
    (await server.next()).refuse(410, 'too old resource version');
  }
});

t.test('watches of a quiet kind that end without an event are no failures', async (t) => {
  const { server, watch, clock } = await watching(t);
  let open = watch;
  for (let watches = 0; watches < 5; watches += 1) {
    open.accept();
    await until('the watch is open', () => clock.nextCallInMs > 10_000);
    clock.advance(15_000);
    open.end();
    open = await server.next();
    t.equal(open.isWatch, true, 'at once');
  }
  open.cut();
  await clock.waiting(1_000);
  clock.advance(1_000);
  t.equal((await server.next()).isWatch, true, 'the first failure waits at most 1 s');
});

t.test('a list that the memory of the API server cannot serve is read from etcd', async (t) => {
  const { server, watch, clock, nextEvents } = await watching(t);
  watch.event('ERROR', { kind: 'Status', code: 410 });
  await clock.waiting(1_000);
  clock.advance(1_000);
  (await server.next()).refuse(504, 'Too large resource version');
  await nextEvents(1);
  await clock.waiting(2_000);
  clock.advance(2_000);
  const list = await server.next();
  t.same(list.query, { limit: '500', fieldSelector: 'spec.nodeName=n1' });
  list.list([pod('a', '2', running('10.0.0.1'))], '9');
  t.match((await server.next()).query, { watch: 'true', resourceVersion: '9' });
});

t.test('a list whose next page has expired is requested again without pages', async (t) => {
  const { server, clock, nextEvents } = await scene(t, ofCluster);
  for (;;) {
    const request = await nextList(server);
    if (request.path !== '/api/v1/pods') request.list([], '1');
    else if ('continue' in request.query) {
      request.refuse(410, 'the continue token is too old');
      break;
    } else request.list([pod('a', '2')], '5', 'more');
  }
  await clock.waiting(1_000);
  clock.advance(1_000);
  let list = await nextList(server);
  while (list.path !== '/api/v1/pods') {
    list.list([], '1');
    list = await nextList(server);
  }
  t.same(list.query, {});
  list.list([pod('b', '8')], '9');
  t.same(await nextEvents(1), ['put Pod b'], 'an incomplete list is not reported');
});

/** Pod a is listed and watched, and the watch has been silent for 90 s. The next request is a list. */
async function silent(t: Test) {
  const it = await watching(t);
  const heardUs = it.clock.nowUs();
  it.clock.advance(89_999);
  t.equal(it.server.requests.length, 2);
  it.clock.advance(1);
  const list = await it.server.next();
  t.equal(list.isWatch, false);
  return { ...it, list, heardUs };
}

t.test('a quiet kind without bookmarks is listed again, and nothing is reported', async (t) => {
  const { server, watch, clock, list, events, nextEvents } = await silent(t);
  list.list([pod('a', '2', running('10.0.0.1'))], '6');
  for (const version of ['7', '8']) {
    await until('the list is read', () => clock.nextCallInMs === 90_000);
    clock.advance(90_000);
    (await server.next()).list([pod('a', '2', running('10.0.0.1'))], version);
  }
  await until('the list is read', () => clock.nextCallInMs === 90_000);
  t.equal(events.length, 2, 'the first list only');
  watch.event('ADDED', pod('b', '9'));
  t.same(await nextEvents(1), ['put Pod b'], 'the watch is still the same');
});

t.test('a change that the list shows and the watch delivers soon is normal', async (t) => {
  const { watch, clock, list, events, nextEvents, server } = await silent(t);
  list.list([pod('a', '2', running('10.0.0.1')), pod('b', '7')], '7');
  await until('the list is read', () => clock.nextCallInMs === 5_000);
  watch.event('ADDED', pod('b', '7'));
  t.same(await nextEvents(1), ['put Pod b']);
  t.notOk('sinceUs' in events.at(-1)!, 'it was not missed');
  clock.advance(5_000);
  await until('the list is dropped', () => clock.nextCallInMs === 85_000);
  t.equal(events.length, 3);
  t.equal(server.requests.length, 3);
});

t.test('a change that the list shows and the watch missed is an alarm, and its time is not known', async (t) => {
  const { server, watch, clock, list, heardUs, events, nextEvents } = await silent(t);
  list.list([pod('a', '3', running('10.0.0.1')), pod('b', '7')], '9');
  await until('the list is read', () => clock.nextCallInMs === 5_000);
  clock.advance(5_000);
  t.same(await nextEvents(3), [
    'watch-silent: API server, pods: the watch sent nothing for 90 s and missed changes, which a new list shows; look for a proxy that buffers the stream',
    'put Pod a',
    'put Pod b',
  ]);
  t.match(events.slice(-2), [{ sinceUs: heardUs }, { sinceUs: heardUs }], 'also for an object that looks the same');
  await watch.closed;
  await clock.waiting(1_000);
  clock.advance(1_000);
  const again = await server.next();
  t.match(again.query, { watch: 'true', resourceVersion: '9' });
  again.bookmark('10');
  t.match(await nextEvents(1), ['fixed']);
});

t.test('a silent watch and a list without a response make the objects stale', async (t) => {
  const { server, watch, clock, list, heardUs, events, nextEvents } = await silent(t);
  clock.advance(10_000);
  await list.closed;
  t.match(await nextEvents(2), [/^api-unreachable: .*no response within 10 s/, 'stale']);
  t.match(events.at(-1), { kind: 'Pod', sinceUs: heardUs });
  await watch.closed;
  await clock.waiting(1_000);
  clock.advance(1_000);
  (await server.next()).list([pod('a', '2', running('10.0.0.1')), pod('b', '7')], '9');
  t.same(await nextEvents(3), ['put Pod b', 'fixed', 'fresh']);
  t.match(events.at(-3), { sinceUs: heardUs });
});

t.test('an API server that is away makes the objects stale after 10 s, since the end of the watch', async (t) => {
  const { server, watch, clock, nextEvents, events } = await watching(t);
  clock.advance(20_000);
  watch.cut();
  await clock.waiting(1_000);
  const cutUs = clock.nowUs();
  clock.advance(1_000);
  for (let requests = 3; !events.some((event) => event.type === 'stale'); requests += 1) {
    (await server.next()).cut();
    await nextEvents(1);
    t.equal(server.requests.length, requests, 'one request at a time');
    t.ok(clock.nowUs() - cutUs < 10_000_000, 'not later than 10 s');
    await clock.waiting(10_000);
    clock.advance(3_000);
  }
  t.match(events.at(-1), { type: 'stale', kind: 'Pod', sinceUs: cutUs });
  t.equal(clock.nowUs() - cutUs >= 10_000_000, true);
  while ((await nextEvents(1))[0] !== 'stale');
  await clock.waiting(30_000);
  clock.advance(30_000);
  const list = await nextList(server);
  t.match(list.query, { resourceVersionMatch: 'NotOlderThan' });
  list.list([], '9');
  t.same(await nextEvents(3), ['gone Pod a', 'fixed', 'fresh']);
  t.match(events.at(-3), { sinceUs: cutUs - 20_000_000 }, 'a change may be as old as the last event');
});

t.test('the objects of an API server that is back within 10 s never were stale', async (t) => {
  const { server, watch, clock, nextEvents, events } = await watching(t);
  watch.cut();
  await clock.waiting(1_000);
  clock.advance(1_000);
  const again = await server.next();
  t.match(again.query, { watch: 'true', resourceVersion: '5' });
  again.event('ADDED', pod('b', '6'));
  await nextEvents(1);
  clock.advance(60_000);
  t.notOk(events.some(({ type }) => type === 'stale'));
});

t.test('an invalid object is reported once and skipped; the other objects are read', async (t) => {
  const { watch, nextEvents, events } = await watching(t);
  const broken = (version: string) => pod('b', version, running('nowhere'));
  watch.event('ADDED', broken('6'));
  watch.event('MODIFIED', broken('7'));
  watch.event('ADDED', pod('c', '8'));
  t.same(await nextEvents(2), [
    'bad-address: Pod shop/b (status.podIP): invalid IP address "nowhere"; write an IPv4 or IPv6 address',
    'put Pod c',
  ]);
  watch.event('MODIFIED', pod('b', '9', running('10.0.0.9')));
  watch.event('MODIFIED', broken('10'));
  t.same(
    (await nextEvents(4)).map((line) => line.slice(0, 11)),
    ['fixed', 'put Pod b', 'bad-address', 'gone Pod b'],
  );
  t.equal(events.length, 8);
});

t.test('an invalid event leads to a new list, since a watch from the same version would send it again', async (t) => {
  for (const text of [
    '{"type":"ADDED"\n',
    '{"type":"ADDED","object":{}}\n',
    '{"type":"GUESS","object":{"metadata":{"resourceVersion":"1"}}}\n',
  ]) {
    const { server, watch, clock, nextEvents } = await watching(t);
    watch.text(text);
    await clock.waiting(1_000);
    clock.advance(1_000);
    const list = await server.next();
    t.equal(list.isWatch, false);
    list.list([], '9');
    t.same(await nextEvents(1), ['gone Pod a']);
  }
});

t.test('an invalid list response does not count as an empty cluster', async (t) => {
  const { server, watch, clock, nextEvents } = await watching(t);
  watch.event('ERROR', { kind: 'Status', code: 410 });
  await clock.waiting(1_000);
  clock.advance(1_000);
  const request = await server.next();
  request.text('{"items":[]}');
  request.end();
  t.match(await nextEvents(1), [
    /^api-unreachable: API server, pods: no valid response, retrying: the response is not a list/,
  ]);
});

t.test('404 at the start is a ProblemError that says what to do', async (t) => {
  const { server, started } = await scene(t);
  (await server.next()).refuse(404, 'not found');
  await t.rejects(started, {
    message:
      'api-refused: API server, pods: the request was refused with status 404: not found; use a cluster that serves this API version',
  });
});

const noAccess = 'pods is forbidden: User "waybill" cannot list resource "pods"';

/** The waits between requests that are refused for a minute. */
const refusalWaitsMs = [500, 1_500, 3_000, 6_000, 12_000, 22_500, 14_500];

for (const [status, advice] of [
  [401, 'renew the token or certificate'],
  [403, "allow list and watch of pods in the service account's ClusterRole"],
] as const) {
  t.test(
    `${status} at the start is repeated for a minute, and then a ProblemError with the server's message`,
    async (t) => {
      const { server, clock, started, nextEvents } = await scene(t);
      for (const waitMs of refusalWaitsMs) {
        (await server.next()).refuse(status, noAccess);
        t.match(await nextEvents(1), [`api-failed: API server, pods: the request failed, retrying: ${noAccess}`]);
        await clock.waiting(waitMs);
        clock.advance(waitMs);
      }
      (await server.next()).refuse(status, noAccess);
      await t.rejects(started, {
        message: `api-refused: API server, pods: the request was refused with status ${status}: ${noAccess}; ${advice}`,
      });
    },
  );
}

t.test('an API server that refuses only while it starts ends nothing', async (t) => {
  const { server, clock, started, nextEvents } = await scene(t);
  (await server.next()).refuse(403, noAccess);
  await nextEvents(1);
  await clock.waiting(500);
  clock.advance(500);
  (await server.next()).list([], '1');
  t.same(await nextEvents(2), ['fixed', 'synced']);
  await started;
});

const clusterPolicies = '/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies';
const notFound = 'the server could not find the requested resource';

const isOfOtherApi = (path: string) => recognisedKinds.some((kind) => path.includes(`/${groupOfKind(kind)}/`));

/** The next request for ClusterNetworkPolicies. Until then, optional kinds are unknown and all other lists are empty. */
async function nextForCrd(server: ScriptedServer) {
  for (;;) {
    const request = await server.next();
    if (request.path === clusterPolicies) return request;
    if (request.path.includes('/v1alpha1/') || isOfOtherApi(request.path)) request.refuse(404, notFound);
    else if (!request.isWatch) request.list([], '1');
  }
}

t.test('the source syncs with an API server that lacks the kinds of cluster policies', async (t) => {
  const { server, nextEvents, started } = await scene(t, ofCluster);
  (await nextForCrd(server)).refuse(404, notFound);
  nextForCrd(server).catch(() => {});
  const optional = 3 + recognisedKinds.length;
  t.same(await nextEvents(optional + 1), [...Array(optional).fill('absent'), 'synced']);
  await started;
});

t.test('an optional kind that answers 403 is reported like any other', async (t) => {
  const { server, nextEvents } = await scene(t, ofCluster);
  (await nextForCrd(server)).refuse(403, 'no');
  nextForCrd(server).catch(() => {});
  let [line] = await nextEvents(1);
  while (!line?.startsWith('api-')) [line] = await nextEvents(1);
  t.match(line, /^api-failed: API server, clusternetworkpolicies: the request failed, retrying: no;/);
});

t.test('a later refusal is repeated, reported as final after a minute, and ends when the server accepts', async (t) => {
  const { server, watch, clock, nextEvents } = await watching(t);
  watch.cut();
  const problems: string[] = [];
  for (const waitMs of [500, 1_500, 3_000, 6_000, 12_000, 22_500, 15_000]) {
    await clock.waiting(waitMs);
    clock.advance(waitMs);
    (await server.next()).refuse(403, noAccess);
    for (let line = ''; !line.startsWith('api-'); problems.push(line)) [line] = (await nextEvents(1)) as [string];
  }
  t.same(
    problems.map((line) => line.split(':')[0]),
    [
      'api-failed',
      'api-failed',
      'api-failed',
      'stale',
      'api-failed',
      'api-failed',
      'api-failed',
      'fixed',
      'api-refused',
    ],
  );
  await clock.waiting(22_500);
  clock.advance(22_500);
  (await server.next()).list([pod('a', '2', running('10.0.0.1'))], '9');
  t.same(await nextEvents(2), ['fixed', 'fresh']);
});

t.test('a page without a response times out and is requested again', async (t) => {
  const { server, clock, nextEvents } = await scene(t);
  const request = await server.next();
  clock.advance(60_000);
  await request.closed;
  t.match(await nextEvents(1), [
    /^api-unreachable: API server, pods: no valid response, retrying: no response within 60 s/,
  ]);
  await clock.waiting(1_000);
  clock.advance(1_000);
  (await server.next()).list([], '1');
  t.same(await nextEvents(2), ['fixed', 'synced']);
});

t.test('after a restart, the first list is compared with the former objects, like after a gap', async (t) => {
  const first = await watching(t);
  first.watch.event('ADDED', pod('same', '6'));
  first.watch.event('ADDED', pod('changed', '7'));
  first.watch.event('MODIFIED', pod('same', '8', { status: { phase: 'Pending' } }));
  await first.nextEvents(2);
  await first.source.stop();
  const { untilUs, versions } = first.source.known();
  t.same(untilUs, { Pod: first.clock.nowUs() });
  t.match(versions, { 'Pod/shop/same': /\b8$/, 'Pod/shop/changed': /\b7$/ });
  const objects = first.events.flatMap((event) =>
    event.type === 'put' ? { object: event.object, version: versions[objectKey(event.object)]! } : [],
  );

  const server = new ScriptedServer();
  const source = apiSource({
    server: apiServer(await server.listen()),
    scope: ofNode,
    clock: first.clock,
    random: () => 0.5,
  });
  t.teardown(async () => {
    await source.stop();
    await server.close();
  });
  first.clock.advance(60_000);
  const events = new ClusterEvents();
  const started = source.start(events.receive, { untilUs, objects });
  (await server.next()).list([pod('same', '8'), pod('changed', '9'), pod('new', '10')], '11');
  t.same((await events.next(4)).map(eventText), ['put Pod changed', 'put Pod new', 'gone Pod a', 'synced']);
  await started;
  for (const event of events.all.slice(0, 3)) t.match(event, { sinceUs: untilUs.Pod, atUs: first.clock.nowUs() });
});

t.test('stop ends the watch, and a start in progress', async (t) => {
  const { source, watch } = await watching(t);
  await source.stop();
  await watch.closed;
  const early = await scene(t);
  await early.server.next();
  await early.source.stop();
  await early.started;
  t.same(early.events, []);
});

t.test('a policy of another API is reported when it appears, changes its spec, and goes', async (t) => {
  const { server, nextEvents } = await scene(t, ofCluster);
  const ciliumPath = '/apis/cilium.io/v2/ciliumnetworkpolicies';
  const policy = (resourceVersion: string, generation: number, app: string) => ({
    metadata: { name: 'db', namespace: 'shop', uid: 'uid-db', resourceVersion, generation },
    spec: { endpointSelector: { matchLabels: { app } }, ingress: [{}] },
  });
  for (;;) {
    const request = await server.next();
    if (request.path === ciliumPath && !request.isWatch) request.list([policy('1', 1, 'db')], '1');
    else if (request.path === ciliumPath) {
      request.accept();
      request.event('MODIFIED', policy('2', 2, 'web'));
      request.event('MODIFIED', policy('3', 2, 'web'));
      request.event('DELETED', policy('4', 2, 'web'));
      break;
    } else if (isOfOtherApi(request.path)) request.refuse(404, notFound);
    else if (!request.isWatch) request.list([], '1');
  }
  const puts: string[] = [];
  while (puts.length < 3) {
    const [event] = await nextEvents(1);
    if (/put|gone/.test(event!)) puts.push(event!);
  }
  const named = (type: string) => `${type} CiliumNetworkPolicy.cilium.io db`;
  t.same(puts, [named('put'), named('put'), named('gone')], 'an update of the status alone is not reported');
});
