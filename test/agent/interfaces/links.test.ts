import t from 'tap';
import { podLinksOf } from '../../../agent/interfaces/links.ts';
import { linkScene, veth } from '../../scene/links.ts';
import { matchEach } from '../../scene/match-each.ts';

function names(links: readonly object[], ...routes: object[][]): string[] {
  const shown = routes.map((list) => JSON.stringify(list));
  return podLinksOf(JSON.stringify(links), shown, 5).map((link) => link.name);
}

t.test('a veth or netkit link that is up leads to a pod if its peer is in another namespace', async (t) => {
  t.same(podLinksOf(JSON.stringify([veth(7)]), ['[]', '[]'], 5), [
    { index: 7, name: 'veth7', netnsid: 7, peerIndex: 2, appearedUs: 5 },
  ]);
  t.same(names([veth(7, { link_netnsid: 0 })]), ['veth7'], 'the namespace id 0 is valid');
  t.same(names([veth(7, { ifname: 'lxc1234', linkinfo: { info_kind: 'netkit' } })]), ['lxc1234'], 'whatever its name');
});

t.test('other links lead to no pod', async (t) => {
  const { link_netnsid: _, ...here } = veth(8);
  const { linkinfo: __, ...physical } = veth(9);
  t.same(names([here]), [], 'its peer is in our own namespace');
  t.same(names([physical]), [], 'no kind');
  t.same(names([veth(7, { linkinfo: { info_kind: 'macvlan' } })]), []);
  t.same(names([veth(7, { flags: ['BROADCAST'] })]), [], 'down');
  t.same(names([{}, { ifindex: 3 }]), [], 'entries with missing fields');
});

t.test('an uplink leads to no pod, even if it is a veth because the node is a container', async (t) => {
  const links = [veth(7), veth(8), veth(9), veth(10)];
  const route = (dev: string) => ({ dst: 'default', gateway: '192.0.2.1', dev });
  t.same(names(links, [route('veth8')], []), ['veth7', 'veth9', 'veth10']);
  const several = { dst: 'default', nexthops: [{ dev: 'veth9' }, { dev: 'veth10' }] };
  t.same(names(links, [route('veth8')], [several]), ['veth7'], 'an IPv6 default route with two next hops');
});

t.test('start resolves after all existing links are reported, with appearedUs 0', async (t) => {
  const { pods, reported, appeared } = linkScene(veth(7), veth(8));
  await pods.start();
  t.same(reported, ['+7', '+8']);
  t.same(
    appeared.map((link) => link.appearedUs),
    [0, 0],
  );
  pods.stop();
});

t.test('after a change by the monitor, new and gone links are reported once', async (t) => {
  const { pods, reader, clock, reported, appeared, settled } = linkScene(veth(7));
  await pods.start();
  reader.links = [veth(8)];
  reader.monitors[0]!.changed();
  await settled();
  t.same(reported, ['+7', '-7', '+8']);
  t.equal(appeared[1]!.appearedUs, clock.nowUs());
  pods.stop();
});

t.test('a link has the time at which the monitor reported a change, if it did', async (t) => {
  const { pods, reader, clock, appeared, settled } = linkScene(veth(7));
  await pods.start();
  const changedUs = clock.nowUs();
  reader.links = [veth(7), veth(8)];
  reader.monitors[0]!.changed();
  await settled();
  reader.links = [veth(7), veth(8), veth(9)];
  clock.advance(10_000);
  await settled();
  t.same(
    appeared.map((link) => link.noticedUs),
    [undefined, changedUs, undefined],
  );
  pods.stop();
});

t.test('a link is reported when it is up, and as gone when it is down', async (t) => {
  const { pods, reader, reported, settled } = linkScene(veth(7, { flags: [] }));
  await pods.start();
  t.same(reported, []);
  for (const flags of [['UP'], []]) {
    reader.links = [veth(7, { flags })];
    reader.monitors[0]!.changed();
    await settled();
  }
  t.same(reported, ['+7', '-7']);
  pods.stop();
});

t.test(
  'a link that cannot be watched is reported at each check until it can, with the time it was first seen',
  async (t) => {
    const { pods, reader, clock, reported, appeared, refused, settled } = linkScene(veth(7));
    refused.add(8);
    await pods.start();
    reader.links = [veth(7), veth(8)];
    clock.advance(10_000);
    await settled();
    const firstUs = clock.nowUs();
    t.same([...new Set(reported)], ['+7', '+8', '?8']);
    refused.delete(8);
    reported.length = appeared.length = 0;
    clock.advance(10_000);
    await settled();
    t.same(reported, ['?8'], 'watched, so not reported again');
    t.equal(appeared[0]!.appearedUs, firstUs);
    reader.links = [veth(7)];
    await settled();
    t.same(reported, ['?8', '-8']);
    pods.stop();
  },
);

t.test('a link that was never watched is reported as gone too', async (t) => {
  const { pods, reader, reported, refused, settled } = linkScene(veth(7));
  refused.add(7);
  await pods.start();
  reader.links = [];
  await settled();
  t.same(reported, ['+7', '-7']);
  pods.stop();
});

t.test('any number of changes during a check cause one more check', async (t) => {
  const { pods, reader, reported, settled } = linkScene(veth(7));
  const { promise, resolve } = Promise.withResolvers<void>();
  reader.gates = [promise];
  const started = pods.start();
  reader.links = [veth(7), veth(8)];
  for (let i = 0; i < 100; i++) reader.monitors[0]!.changed();
  t.equal(reader.listings, 1);
  resolve();
  await started;
  await settled();
  t.same(reported, ['+7', '+8']);
  t.ok(reader.listings <= 4, `${reader.listings} listings`);
  pods.stop();
});

t.test('a check every 10 s finds changes that the monitor missed', async (t) => {
  const { pods, reader, clock, reported, settled } = linkScene(veth(7));
  await pods.start();
  reader.links = [];
  clock.advance(9_999);
  t.equal(reader.listings, 1);
  clock.advance(1);
  t.equal(reader.listings, 2);
  await settled();
  t.same(reported, ['+7', '-7']);
  reader.listings = 0;
  clock.advance(10_000);
  t.equal(reader.listings, 1, 'and again');
  pods.stop();
});

t.test('many new links are reported one by one, so that other work runs in between', async (t) => {
  const { pods, reported } = linkScene(...Array.from({ length: 20 }, (_, i) => veth(i + 1)));
  const reportedBefore: number[] = [];
  const note = () => {
    reportedBefore.push(reported.length);
    if (reported.length < 20) setImmediate(note);
  };
  setImmediate(note);
  await pods.start();
  const steps = reportedBefore.map((count, i) => count - (reportedBefore[i - 1] ?? 0));
  t.ok(Math.max(...steps) <= 1, `reported before each turn: ${reportedBefore}`);
  pods.stop();
});

t.test('a failed listing is logged and changes nothing, and the next one succeeds', async (t) => {
  const { pods, reader, reported, warned, settled } = linkScene(veth(7));
  await pods.start();
  reader.links = [];
  reader.gates = [Promise.reject(new Error('ip is gone'))];
  await pods.refresh();
  t.same(reported, ['+7']);
  matchEach(t, warned, [/^cannot list links, retrying/]);
  await settled();
  t.same(reported, ['+7', '-7']);
  pods.stop();
});

t.test('links of the first successful listing get appearedUs 0, even after a failed one', async (t) => {
  const { pods, reader, appeared } = linkScene(veth(7));
  reader.gates = [Promise.reject(new Error('not yet'))];
  await pods.start();
  t.same(appeared, []);
  await pods.refresh();
  t.equal(appeared[0]!.appearedUs, 0);
  pods.stop();
});

t.test('a monitor that exits is logged once and started again after a second', async (t) => {
  const { pods, reader, clock, warned, reported, settled } = linkScene(veth(7));
  await pods.start();
  for (let round = 1; round <= 4; round++) {
    const { ended } = reader.monitors.at(-1)!;
    ended('spawn ip ENOENT');
    ended('exit code -2');
    t.equal(warned.length, round, 'one warning, although a program that cannot be started reports two events');
    clock.advance(999);
    t.equal(reader.monitors.length, round);
    clock.advance(1);
    t.equal(reader.monitors.length, round + 1);
  }
  reader.links = [];
  reader.monitors.at(-1)!.changed();
  await settled();
  t.same(reported, ['+7', '-7']);
  pods.stop();
});

t.test('nothing is reported or started after stop', async (t) => {
  const { pods, reader, clock, reported, warned, settled } = linkScene(veth(7));
  await pods.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  reader.gates = [promise];
  reader.links = [];
  reader.monitors[0]!.changed();
  pods.stop();
  t.ok(reader.monitors[0]!.stopped);
  resolve();
  await settled();
  reader.monitors[0]!.ended('exit code null');
  const { listings } = reader;
  clock.advance(60_000);
  t.same(reported, ['+7']);
  t.same(warned, []);
  t.equal(reader.listings, listings);
  t.equal(reader.monitors.length, 1);
});
