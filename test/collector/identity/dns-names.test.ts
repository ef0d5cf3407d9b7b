import t from 'tap';
import { DnsNames, type GivenNames, interfaceKey } from '../../../collector/identity/dns-names.ts';
import { DnsServers } from '../../../collector/identity/dns-servers.ts';
import { parsePrefix } from '../../../model/address.ts';
import { type DnsOrigin, type DnsReport, emptyDnsReport } from '../../../model/dns-answer.ts';
import { TCP, UDP } from '../../../model/protocol.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import { ip, record, second, t0 } from '../../scene/records.ts';

const address = ip('192.0.2.1');
const trusted = ip('10.96.0.10');
const stranger = ip('203.0.113.9');

/** Times are seconds after t0. Interface 7 belongs to uid-web, 8 to uid-db. */
class Scene {
  names: DnsNames;
  readonly #pods = new Map([
    [7, 'uid-web'],
    [8, 'uid-db'],
  ]);
  readonly #source = {
    keyOf: (index: number) => interfaceKey('n1', index),
    podUidOf: (index: number) => this.#pods.get(index) ?? '',
  };

  constructor(maxAddresses = 100, { inCluster = [] as string[] } = {}) {
    const servers = new DnsServers([parsePrefix(`${trusted}/32`)!]);
    this.names = new DnsNames(maxAddresses, servers, { hasAddress: (one) => inCluster.includes(one) });
  }

  report(report: Partial<DnsReport>, offsetUs = 0): void {
    this.names.learn({ ...emptyDnsReport, ...report }, this.#source, offsetUs);
  }

  learn(name: string, atSeconds: number, ttlSeconds = 60, of = address, change: Partial<DnsOrigin> = {}): void {
    const server = change.server ?? trusted;
    const origin: DnsOrigin = { interfaceIndex: 7, server, asked: server, transport: 'UDP', ...change };
    this.report({ answers: [{ name, address: of, atUs: t0 + atSeconds * second, ttlSeconds, origin }] });
  }

  watch(interfaceIndex = 7, { since = 0, isNew = true, until = 0 } = {}): void {
    const untilUs = until === 0 ? 0 : t0 + until * second;
    this.report({ watched: [{ interfaceIndex, sinceUs: t0 + since * second, isNew, untilUs }] });
  }

  unanswered(name: string, atSeconds: number, open = true): void {
    this.report({ unanswered: [{ interfaceIndex: 7, name, atUs: t0 + atSeconds * second, open }] });
  }

  observe(change: Partial<ConnectionRecord>): void {
    this.names.observe([record({ protocol: UDP, firstUs: t0, lastUs: t0, ...change })], this.#source, 0);
  }

  given(atSeconds: number, of = address, interfaceIndex = 7): GivenNames {
    const podUid = this.#pods.get(interfaceIndex) ?? '';
    return this.names.given({ key: interfaceKey('n1', interfaceIndex), podUid }, of, t0 + atSeconds * second);
  }

  /** As a restarted collector reads them from its store. */
  restart(): void {
    const { put } = this.names.changes(100);
    const fresh = new Scene();
    fresh.names.restore(put);
    this.names = fresh.names;
  }
}

t.test('a name is valid from its answer until ten minutes after its time to live', async (t) => {
  const scene = new Scene();
  scene.learn('a', 100, 60);
  t.same(scene.given(98).names, [], 'before the answer');
  t.same(scene.given(99.5).names, ['a'], 'within the clock tolerance');
  t.same(scene.given(160 + 600).names, ['a']);
  t.same(scene.given(161 + 600).names, []);
  t.same(scene.given(161 + 600).possible, ['a'], 'then it is not certain that the pod forgot it');
  t.same(scene.given(100, ip('192.0.2.2')).names, []);
});

t.test('a name counts only for the pod that was given it', async (t) => {
  const scene = new Scene();
  scene.learn('a', 1);
  t.same(scene.given(1, address, 8).names, []);
  t.same(scene.given(1, address, 9), { names: [], unverified: [], possible: [], gap: 'not-watched', latestUs: 0 });
});

t.test('a pod with two interfaces has the names of both, and must be watched at both', async (t) => {
  const scene = new Scene();
  const pods = new Map([
    [7, 'uid-web'],
    [17, 'uid-web'],
  ]);
  const source = { keyOf: (index: number) => interfaceKey('n1', index), podUidOf: (index: number) => pods.get(index)! };
  const watched = [7, 17].map((interfaceIndex) => ({
    interfaceIndex,
    sinceUs: t0,
    isNew: interfaceIndex === 7,
    untilUs: 0,
  }));
  const origin: DnsOrigin = { interfaceIndex: 17, server: trusted, asked: trusted, transport: 'UDP' };
  const answers = [{ name: 'a', address, atUs: t0, ttlSeconds: 60, origin }];
  scene.names.learn({ ...emptyDnsReport, answers, watched }, source, 0);
  t.match(scene.given(1), { names: ['a'], gap: 'watched-late' });
});

t.test('a pod whose interfaces become known one after the other has the names of both', async (t) => {
  const scene = new Scene();
  const pods = new Map([[17, 'uid-web']]);
  const source = {
    keyOf: (index: number) => interfaceKey('n1', index),
    podUidOf: (index: number) => pods.get(index) ?? '',
  };
  const watched = [{ interfaceIndex: 7, sinceUs: t0, isNew: true, untilUs: 0 }];
  const origin: DnsOrigin = { interfaceIndex: 17, server: trusted, asked: trusted, transport: 'UDP' };
  const answers = [{ name: 'a', address, atUs: t0, ttlSeconds: 60, origin }];
  scene.names.learn({ ...emptyDnsReport, answers, watched }, source, 0);
  t.match(scene.given(1), { names: ['a'], gap: 'watched-late' }, 'the pod of interface 7 is not proven yet');
  pods.set(7, 'uid-web');
  scene.names.learn({ ...emptyDnsReport, watched }, source, 0);
  t.match(scene.given(1), { names: ['a'], gap: 'watched-late' });
});

t.test('the offset converts times of an agent to the collector’s clock', async (t) => {
  const scene = new Scene();
  const origin: DnsOrigin = { interfaceIndex: 7, server: trusted, asked: trusted, transport: 'UDP' };
  scene.report({ answers: [{ name: 'a', address, atUs: t0, ttlSeconds: 1, origin }] }, 3600 * second);
  t.same(scene.given(0).names, []);
  t.same(scene.given(3600).names, ['a']);
  scene.report({ withdrawn: [{ name: 'a', address, atUs: t0, origin }] }, 3601 * second);
  t.same(scene.given(3600).names, [], 'withdrawn by the agent’s time, though the offset changed');
});

t.test('names are listed newest first, at most 16 for one address', async (t) => {
  const scene = new Scene();
  scene.watch();
  for (let i = 0; i < 16; i++) scene.learn(`n${i}`, i);
  scene.learn('n3', 20);
  t.same(scene.given(20).names.slice(0, 3), ['n3', 'n15', 'n14']);
  t.equal(scene.given(20).gap, undefined);
  scene.learn('more', 21);
  t.equal(scene.given(21).names.length, 16);
  t.equal(scene.given(21).gap, 'queries-missed', 'the one that is gone may be the one that matters');
});

t.test('a late answer is sorted by its time, and does not shorten the validity of a name', async (t) => {
  const scene = new Scene();
  scene.learn('a', 100, 3600);
  scene.learn('b', 50);
  scene.learn('a', 60, 1);
  t.same(scene.given(100).names, ['a', 'b']);
  t.same(scene.given(3700).names, ['a']);
  t.same(scene.given(60).names, ['a', 'b'], 'valid from its earliest answer on');
});

t.test('only names of trusted servers count; others say where they are from', async (t) => {
  const scene = new Scene();
  scene.learn('bank.example', 1, 60, address, { server: stranger });
  t.match(scene.given(1), { names: [], unverified: [{ name: 'bank.example', from: stranger }] });
  scene.learn('mixed.example', 2, 60, address, { server: stranger, asked: trusted });
  scene.learn('mixed2.example', 3, 60, address, { server: trusted, asked: stranger });
  t.same(scene.given(3).names, [], 'both the asked and the answering address must be trusted');
  scene.learn('bank.example', 4);
  t.match(scene.given(4), { names: ['bank.example'] });
  t.notOk(scene.given(4).unverified.some(({ name }) => name === 'bank.example'));
});

t.test(
  'a name of an agent that does not compare replies with queries is shown for every pod, and never counts',
  async (t) => {
    const scene = new Scene();
    scene.report({ answers: [{ name: 'old.example', address, atUs: t0, ttlSeconds: 60 }] });
    for (const pod of [7, 8, 9])
      t.match(scene.given(1, address, pod), { names: [], unverified: [{ name: 'old.example' }] });
  },
);

t.test('a withdrawn answer is gone; an earlier one with the same name stays', async (t) => {
  const scene = new Scene();
  const withdraw = (atSeconds: number) => {
    const origin = { interfaceIndex: 7, server: trusted, asked: trusted };
    scene.report({ withdrawn: [{ name: 'a', address, atUs: t0 + atSeconds * second, origin }] });
  };
  scene.learn('a', 1);
  withdraw(1);
  t.same(scene.given(1).names, []);
  scene.learn('a', 10, 60);
  scene.learn('a', 50, 3600);
  withdraw(50);
  t.same(scene.given(60).names, ['a']);
  t.same(scene.given(1000).names, [], 'not for as long as the withdrawn one said');
});

t.test('there is no other name only if the pod’s queries were seen from its start', async (t) => {
  const scene = new Scene();
  scene.learn('a', 1);
  t.equal(scene.given(1).gap, 'watched-late', 'not reported yet');
  scene.watch(7);
  t.equal(scene.given(1).gap, undefined);
  scene.watch(8, { isNew: false });
  t.equal(scene.given(1, address, 8).gap, 'watched-late', 'the pod is older than the agent');
  scene.watch(7, { until: 100 });
  t.equal(scene.given(99).gap, undefined, 'before the loss');
  t.equal(scene.given(101).gap, 'queries-missed');
});

t.test('after a restart of the agent nothing new is certain, and what was certain stays', async (t) => {
  const scene = new Scene();
  scene.watch(7);
  scene.learn('a', 1);
  scene.watch(7, { since: 200, isNew: false });
  scene.watch(7, { since: 200, isNew: false });
  t.equal(scene.given(199).gap, undefined);
  t.equal(scene.given(201).gap, 'queries-missed');
  t.same(scene.given(201).names, ['a'], 'names stay too');
});

t.test('a new interface with an old index, or another pod there, has none of the old names', async (t) => {
  const scene = new Scene();
  scene.watch(7);
  scene.learn('a', 1);
  scene.watch(7, { since: 30 });
  t.match(scene.given(31), { names: [], gap: undefined });
});

t.test('a name that the pod asked for is possible until its reply is seen', async (t) => {
  const scene = new Scene();
  scene.watch(7);
  scene.unanswered('a', 5);
  t.same(scene.given(4).possible, [], 'before the query');
  t.same(scene.given(6).possible, ['a']);
  scene.unanswered('a', 5, false);
  t.same(scene.given(6).possible, []);
  for (let i = 0; i <= 64; i++) scene.unanswered(`n${i}`, 10);
  t.equal(scene.given(9).gap, undefined);
  t.equal(scene.given(10).gap, 'queries-missed', 'too many');
});

t.test('DNS over TLS, and a server that is not trusted, leave nothing certain from then on', async (t) => {
  const cases: [string, Partial<ConnectionRecord>, string | undefined][] = [
    ['the cluster’s DNS', { responder: trusted, responderPort: 53 }, undefined],
    ['another server', { responder: stranger, responderPort: 53 }, 'other-server'],
    ['another server by TCP', { responder: stranger, responderPort: 53, protocol: TCP }, 'other-server'],
    ['TLS', { responder: trusted, responderPort: 853, protocol: TCP }, 'dns-over-tls'],
    ['QUIC', { responder: stranger, responderPort: 853 }, 'dns-over-tls'],
    [
      'an unasked packet from such a server',
      { responder: stranger, responderPort: 53, packets: { forward: 0, reverse: 1 } },
      undefined,
    ],
    ['a query to this pod', { responder: stranger, responderPort: 53, point: 'destination' }, undefined],
    ['SCTP', { responder: stranger, responderPort: 53, protocol: 132 }, undefined],
  ];
  for (const [name, change, gap] of cases) {
    const scene = new Scene();
    scene.watch(7);
    scene.observe({ ...change, firstUs: t0 + 10 * second, lastUs: t0 + 10 * second });
    t.equal(scene.given(9).gap, undefined, `${name}: before`);
    t.equal(scene.given(11).gap, gap, name);
    t.equal(scene.given(11, address, 8).gap, 'not-watched', 'not of other pods');
  }
  const scene = new Scene();
  scene.watch(7);
  for (let i = 1; i < 20; i++) scene.observe({ responder: ip(`203.0.113.${i}`), responderPort: 53, firstUs: t0 });
  t.equal(scene.given(1).gap, 'other-server', 'of many servers not all are kept');
});

t.test('a connection of yesterday keeps the name that it began with', async (t) => {
  const scene = new Scene();
  scene.learn('old', 0);
  scene.learn('new', 86_400);
  t.same(scene.given(1).names, ['old']);
  t.same(scene.given(86_401).names, ['new']);
});

t.test('addresses of the cluster are not kept', async (t) => {
  const scene = new Scene(1, { inCluster: ['10.96.0.1'] });
  scene.learn('a', 0);
  for (let i = 0; i < 10; i++) scene.learn(`n${i}`, i, 60, ip('10.96.0.1'));
  t.same(scene.given(1).names, ['a']);
});

t.test('if there are too many addresses, the pod with the most loses the oldest, and its certainty', async (t) => {
  const scene = new Scene(20);
  scene.watch(7);
  scene.watch(8);
  scene.learn('mine', 0, 60, address, { interfaceIndex: 8 });
  for (let i = 0; i < 1000; i++) scene.learn(`n${i}`, i, 60, ip(`10.9.${i >> 8}.${i & 255}`));
  t.match(scene.given(1, address, 8), { names: ['mine'], gap: undefined });
  t.same(scene.given(999, ip('10.9.3.231')).names, ['n999']);
  t.equal(scene.given(1).gap, 'queries-missed');
  const lone = new Scene(100_000);
  lone.watch(7);
  for (let i = 0; i <= 1000; i++) lone.learn(`n${i}`, i, 60, ip(`10.9.${i >> 8}.${i & 255}`));
  t.equal(lone.given(1).gap, 'queries-missed', 'one pod may have 1,000');
});

t.test('after a restart of the collector everything is as before', async (t) => {
  const scene = new Scene();
  scene.watch(7);
  scene.watch(8, { until: 50 });
  scene.learn('a', 1);
  scene.learn('b', 2, 60, ip('2001:db8::1'));
  scene.unanswered('c', 3);
  scene.observe({ responder: trusted, responderPort: 53, firstUs: t0, lastUs: t0 });
  scene.observe({ responder: stranger, responderPort: 853, firstUs: t0 + 60 * second });
  const answers = () => [
    scene.given(10),
    scene.given(10, ip('2001:db8::1')),
    scene.given(70),
    scene.given(10, address, 8),
  ];
  const before = answers();
  scene.restart();
  t.same(answers(), before);
  scene.watch(7);
  scene.learn('a', 1);
  t.same(answers(), before, 'also after the agent has sent everything again');
  t.same(scene.names.changes(100).removed, []);
});

t.test('a stored row that cannot be read is left out, and named', async (t) => {
  const scene = new Scene();
  scene.learn('a', 1);
  const { put } = scene.names.changes(100);
  const fresh = new Scene();
  const damaged = ['', 'null', '{}', '{"spans":[1]}'].map((body, i) => ({ key: `n${i} 7`, body }));
  t.same(fresh.names.restore([...damaged, ...put]), ['n0 7', 'n1 7', 'n2 7', 'n3 7']);
  t.same(fresh.given(1).names, ['a']);
});

t.test('the store gets an interface once per change, and the key of one that is gone', async (t) => {
  const scene = new Scene();
  scene.learn('a', 1);
  scene.learn('b', 2);
  t.match(scene.names.changes(100), { put: [{ key: 'n1 7' }], removed: [] });
  t.same(scene.names.changes(100), { put: [], removed: [] });
  scene.watch(7, { since: 5 });
  scene.watch(7, { since: 6 });
  t.match(scene.names.changes(100), { put: [{ key: 'n1 7' }], removed: [] }, 'replaced');
});
