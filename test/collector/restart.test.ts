// A restart of the collector changes no answer: what was evaluated stays as stored, and counters go on.
import t from 'tap';
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import type { ConnectionRecord } from '../../model/record.ts';
import { ingressPolicy, podManifest, Scene, shop } from '../scene/pipeline.ts';
import { answered, atDestination, ip, record, second, t0 } from '../scene/records.ts';

const manifests = `${shop}---${podManifest('job', 'n1', '10.0.1.9')}---${ingressPolicy('db', 'web')}`;
const links = {
  n1: [
    { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] },
    { index: 8, podUid: 'uid-job', addresses: ['10.0.1.9'] },
  ],
  n2: [{ index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] }],
};

type Seen = [node: 'n1' | 'n2', record: ConnectionRecord];

/** What a store would have. */
class Stored {
  readonly connections = new Map<string, Connection>();
  readonly findings = new Map<string, Finding>();
  readonly batches: Seen[] = [];

  take(scene: Scene): void {
    for (const one of scene.connections.values()) this.connections.set(one.id, JSON.parse(JSON.stringify(one)));
    for (const id of this.connections.keys()) if (scene.merged.has(id)) this.connections.delete(id);
    this.findings.clear();
    for (const one of scene.findings.values()) this.findings.set(one.id, JSON.parse(JSON.stringify(one)));
  }

  /** A new collector at that time, with the cluster as it is then. */
  restart(manifestsNow: string, nowUs: number): Scene {
    const scene = new Scene(manifestsNow);
    scene.nowUs = nowUs;
    scene.restore([...this.findings.values()], [...this.connections.values()]);
    for (const [node, one] of this.batches) scene.see(node, structuredClone(one));
    report(scene);
    return scene;
  }
}

function report(scene: Scene): void {
  scene.report('n1', links.n1);
  scene.report('n2', links.n2);
}

function see(scene: Scene, stored: Stored, ...seen: Seen[]): void {
  for (const [node, one] of seen) {
    stored.batches.push([node, one]);
    scene.see(node, structuredClone(one));
  }
}

const shown = ({ connections, findings }: Stored) => ({
  connections: [...connections.values()]
    .map(({ sides: _, group: __, ...rest }) => rest)
    .sort((a, b) => (a.id < b.id ? -1 : 1)),
  findings: [...findings.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
});

t.test('what was evaluated stays as stored, though the cluster changed while the collector was down', async (t) => {
  const stored = new Stored();
  const before = new Scene(manifests);
  report(before);
  const ends = { initiatorPort: 2, ended: true };
  see(before, stored, ['n1', answered(ends)], ['n2', atDestination(answered(ends))]);
  see(before, stored, ['n1', answered()], ['n2', atDestination(answered())]);
  see(before, stored, ['n1', record({ initiatorPort: 3, interfaceIndex: 8, initiator: '10.0.1.9' as never })]);
  before.pass(5 * second);
  stored.take(before);
  const expected = shown(stored);
  t.equal(expected.connections.length, 3);
  t.same(
    expected.findings.map(({ kind }) => kind),
    ['blocked'],
  );

  // The policy is another one now, and the pod job is gone.
  const after = stored.restart(`${shop}---${ingressPolicy('db', 'api')}`, before.nowUs + 30 * second);
  after.pass(20 * second);
  stored.take(after);
  t.same(shown(stored), expected);
});

t.test('counters go on after a restart, also of records that are received again', async (t) => {
  const stored = new Stored();
  const before = new Scene(manifests);
  report(before);
  const interval = (i: number) => answered({ firstUs: t0 + i * second, lastUs: t0 + i * second + 1000 });
  see(before, stored, ['n1', interval(0)], ['n1', interval(1)], ['n2', atDestination(interval(0))]);
  before.pass(5 * second);
  stored.take(before);
  // Stored, but not evaluated before the crash.
  see(before, stored, ['n1', interval(2)], ['n2', atDestination(interval(1))]);

  const after = stored.restart(manifests, before.nowUs + 10 * second);
  see(after, stored, ['n1', interval(3)]);
  after.pass(5 * second);
  stored.take(after);
  const { connections } = shown(stored);
  t.equal(connections.length, 1);
  t.same(connections[0]!.packets, { forward: 8, reverse: 4 });
});

t.test('a stored connection without its group, or with another version’s, is grouped again', async (t) => {
  const before = new Scene(manifests);
  report(before);
  const seen: Seen[] = [
    ['n1', answered()],
    ['n2', atDestination(answered())],
  ];
  for (const [node, one] of seen) before.see(node, one);
  before.pass(20 * second);
  const [connection] = before.connections.values();
  const part = { sides: 1, fromUs: null, untilUs: null };
  const parts = [
    undefined,
    {},
    [],
    [null, null],
    [part],
    [
      { ...part, sides: 0 },
      { ...part, sides: 2 },
    ],
  ];
  const groups = [undefined, null, 7, [], {}, { parts: [part, part] }];
  for (const group of [...groups, ...parts.map((one) => ({ ...connection!.group!, parts: one }))]) {
    const stored = new Stored();
    stored.batches.push(...seen);
    stored.take(before);
    const expected = shown(stored);
    stored.connections.set(connection!.id, { ...connection!, group } as Connection);
    const after = stored.restart(manifests, before.nowUs);
    after.pass(20 * second);
    stored.take(after);
    t.same(shown(stored), expected, JSON.stringify(group));
  }
});

t.test('a restart between the writes of two connections that a record separates leaves each its sides', async (t) => {
  const stored = new Stored();
  const before = new Scene(manifests);
  report(before);
  const unanswered = record({ isn: 1 });
  const next = answered({ isn: 2, beganUs: t0 + 1, firstUs: t0 + 1, lastUs: t0 + 1, ended: true });
  see(before, stored, ['n1', unanswered], ['n2', atDestination(next)]);
  before.pass(3 * second);
  stored.take(before);
  const [together] = structuredClone([...stored.connections.values()]);
  t.same(together!.observed, ['source', 'destination'], 'the only candidates are one connection');

  see(before, stored, ['n1', next]);
  before.pass(second);
  stored.take(before);
  const expected = shown(stored);
  t.equal(expected.connections.length, 2);
  // The collector was killed when only the other one was written.
  stored.connections.set(together!.id, together!);
  const after = stored.restart(manifests, before.nowUs + second);
  after.pass(20 * second);
  stored.take(after);
  t.same(shown(stored).connections, expected.connections);
});

t.test('fifty restarts at any moment leave what no restart leaves', async (t) => {
  const traffic = (scene: Scene, stored: Stored, step: number): void => {
    const atUs = scene.nowUs;
    const one = answered({ initiatorPort: 100 + (step % 7), beganUs: atUs, firstUs: atUs, lastUs: atUs, isn: step });
    see(scene, stored, ['n1', one], ['n2', atDestination(one)]);
    const long = answered({ initiatorPort: 1, beganUs: t0, firstUs: atUs, lastUs: atUs });
    see(scene, stored, ['n2', atDestination(long)], ['n1', long]);
    if (step % 3 === 0)
      see(scene, stored, [
        'n1',
        record({
          initiatorPort: 5000 + step,
          interfaceIndex: 8,
          initiator: '10.0.1.9' as never,
          beganUs: atUs,
          firstUs: atUs,
          lastUs: atUs,
        }),
      ]);
  };
  const run = (restarts: boolean): Stored => {
    const stored = new Stored();
    let scene = new Scene(manifests);
    report(scene);
    for (let step = 0; step < 50; step++) {
      traffic(scene, stored, step);
      scene.pass((0.5 + (step % 4) / 2) * second);
      stored.take(scene);
      if (restarts) scene = stored.restart(manifests, scene.nowUs);
    }
    scene.pass(20 * second);
    stored.take(scene);
    return stored;
  };
  t.same(shown(run(true)), shown(run(false)));
});

t.test('what was not known before a restart is evaluated again after it', async (t) => {
  const stored = new Stored();
  const before = new Scene(`${shop}---${ingressPolicy('db', 'api')}`);
  before.report('n1', links.n1);
  before.report('n2', links.n2);
  // The agent of n2 has not reported that time when the collector stops.
  const silent = record({ beganUs: t0 + second, firstUs: t0 + second, lastUs: t0 + second, ended: true });
  see(before, stored, ['n1', silent]);
  for (let i = 0; i < 60; i++) {
    before.nowUs += second / 4;
    before.report('n1', links.n1);
    before.pipeline.tick(before.nowUs);
  }
  before.collect();
  stored.take(before);
  t.match(shown(stored).connections, [{ delivered: { delivered: 'unknown' } }]);
  const after = stored.restart(`${shop}---${ingressPolicy('db', 'api')}`, before.nowUs + second);
  after.pass(30 * second);
  stored.take(after);
  t.match(shown(stored).connections, [{ delivered: { delivered: 'no' } }]);
});

t.test('a connection that merges and is one of its own again stays in the change set', async (t) => {
  const service = `---
apiVersion: v1
kind: Service
metadata: { name: sql, namespace: shop }
spec: { clusterIP: 10.96.0.10, ports: [{ name: sql, port: 80 }], selector: { app: db } }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: sql-1, namespace: shop, labels: { kubernetes.io/service-name: sql } }
addressType: IPv4
endpoints: [{ addresses: [10.0.2.3] }, { addresses: [10.0.2.4] }]
ports: [{ name: sql, port: 5432, protocol: TCP }]
`;
  const scene = new Scene(`${shop}---${podManifest('db2', 'n2', '10.0.2.4')}${service}`);
  report(scene);
  scene.see('n2', atDestination(answered()));
  scene.pass(15 * second);
  scene.pipeline.changes();
  scene.see('n1', answered({ responder: ip('10.96.0.10'), responderPort: 80 }));
  scene.pipeline.tick(scene.nowUs);
  scene.see('n2', { ...atDestination(answered({ responder: ip('10.0.2.4') })), interfaceIndex: 10 });
  scene.advance(15 * second);
  const { connections, merged } = scene.pipeline.changes();
  t.equal(connections.length, 3);
  t.same(
    merged.filter((id) => connections.some((one) => one.id === id)),
    [],
  );
});

for (const [what, now] of [
  ['policies', `${shop}---${ingressPolicy('db', 'api')}`],
  ['owners', shop.replaceAll('name: db', 'name: other')],
] as const) {
  t.test(`a connection keeps its verdict if the ${what} of its time are not known any more`, async (t) => {
    const stored = new Stored();
    const before = new Scene(shop);
    report(before);
    before.seeBoth(answered());
    before.pass(15 * second);
    stored.take(before);
    const after = new Scene(now);
    after.nowUs = before.nowUs + second;
    after.restore([...stored.findings.values()], [...stored.connections.values()], after.nowUs);
    report(after);
    const atUs = after.nowUs;
    after.seeBoth(answered({ firstUs: atUs, lastUs: atUs }));
    after.pass(20 * second);
    const [one] = after.connections.values();
    t.match(one, { verdict: 'undeclared', responder: { pod: 'db' }, packets: { forward: 4 } });
    t.same(after.kinds(), before.kinds());
  });
}

t.test('a connection keeps the verdict of declared policies that are not known any more', async (t) => {
  const before = new Scene(shop, ingressPolicy('db', 'web'));
  report(before);
  before.seeBoth(answered());
  before.pass(15 * second);
  const after = new Scene(shop, ingressPolicy('db', 'api'));
  after.nowUs = before.nowUs + second;
  after.restore([...before.findings.values()], [...before.connections.values()], after.nowUs);
  report(after);
  after.seeBoth(answered({ firstUs: after.nowUs, lastUs: after.nowUs }));
  after.pass(20 * second);
  const [one] = after.connections.values();
  t.match(one, { declaredVerdict: 'allowed', packets: { forward: 4 } });
  t.same(after.kinds(), before.kinds());
});

t.test('a grandfathered connection stays that, if the policies before it are not known any more', async (t) => {
  const stored = new Stored();
  const before = new Scene(shop);
  report(before);
  before.pass(5 * second);
  before.put(ingressPolicy('db', 'api'));
  before.pass(second);
  const atUs = before.nowUs;
  before.seeBoth(answered({ beganUs: atUs, firstUs: atUs, lastUs: atUs }));
  before.pass(15 * second);
  before.seeBoth(answered({ beganUs: atUs, firstUs: before.nowUs, lastUs: before.nowUs }));
  before.pass(15 * second);
  stored.take(before);
  t.match([...stored.connections.values()], [{ verdict: 'denied', findingKind: 'grandfathered' }]);
  const after = new Scene(`${shop}---${ingressPolicy('db', 'api')}`);
  after.nowUs = before.nowUs + second;
  after.restore([...stored.findings.values()], [...stored.connections.values()], after.nowUs);
  report(after);
  after.seeBoth(answered({ beganUs: atUs, firstUs: after.nowUs, lastUs: after.nowUs }));
  after.pass(20 * second);
  t.match([...after.connections.values()], [{ findingKind: 'grandfathered', packets: { forward: 6 } }]);
  t.same(after.kinds(), ['grandfathered']);
});

t.test('the connections of a pod and of its replacement keep their own counters', async (t) => {
  const stored = new Stored();
  const before = new Scene(manifests);
  report(before);
  const at = (atUs: number) => answered({ firstUs: atUs, lastUs: atUs });
  see(before, stored, ['n1', at(t0)], ['n2', atDestination(at(t0))]);
  before.pass(3 * second);
  const laterUs = before.nowUs;
  const replacement = { ...atDestination(at(laterUs)), interfaceIndex: 10, beganUs: laterUs };
  see(before, stored, ['n1', at(laterUs)], ['n2', { ...replacement, initiatorBy: 'inferred' }]);
  before.pass(3 * second);
  stored.take(before);
  const forward = () => shown(stored).connections.map(({ startUs, packets }) => [startUs, packets.forward]);
  t.same(
    new Map(forward() as [number, number][]),
    new Map([
      [t0, 2],
      [laterUs, 2],
    ]),
  );
  const after = stored.restart(manifests, before.nowUs + second);
  see(after, stored, ['n1', at(after.nowUs)]);
  after.pass(20 * second);
  stored.take(after);
  t.same(
    new Map(forward() as [number, number][]),
    new Map([
      [t0, 2],
      [laterUs, 4],
    ]),
  );
});
