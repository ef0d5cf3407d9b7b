import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import t from 'tap';
import type { Change } from '../../collector/api/api.ts';
import { Followers, followLimits } from '../../collector/api/follow.ts';
import type { FindingFamily } from '../../collector/findings/finding-id.ts';
import { workloadKey } from '../../collector/findings/finding-id.ts';
import { Publisher } from '../../collector/publish.ts';
import { PendingWrites } from '../../collector/store/pending-writes.ts';
import type { Store, StoreChanges } from '../../collector/store/store.ts';
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import { ingressPolicy, podManifest, Scene, shop } from '../scene/pipeline.ts';
import { answered, atDestination, ip, record, second, t0 } from '../scene/records.ts';

const silent = pino({ level: 'silent' });
const noStore = { write: async () => undefined, findingsOf: async () => [] };

/** A scene whose changes are published to a follower of findings and one of connections. */
function followed(manifests: string, store: Pick<Store, 'write' | 'findingsOf'> = noStore, maxFindings = 1000) {
  const scene = new Scene(manifests, undefined, undefined, maxFindings);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] }]);
  scene.report('n2', [{ index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] }]);
  const listeners = new Set<(change: Change) => void>();
  const targets = { listeners, series: undefined, pendingWrites: new PendingWrites(1000), store };
  const publisher = new Publisher(scene.pipeline, targets, silent);
  const dataSource = {
    findings: async (): Promise<Finding[]> => [],
    connections: async (): Promise<Connection[]> => [],
    subscribe: (listener: (change: Change) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const followers = new Followers(dataSource, followLimits, () => undefined);
  const lines: Record<'finding' | 'connection', Record<string, unknown>[]> = { finding: [], connection: [] };
  const closed = (['finding', 'connection'] as const).map((of) => {
    const reader = createInterface({ input: followers.follow(of, { last: 10 }, false, 'client') });
    reader.on('line', (line) => lines[of].push(JSON.parse(line)));
    return once(reader, 'close');
  });
  return {
    scene,
    pass: async (us: number) => {
      scene.advance(us);
      await publisher.publish();
    },
    /** Ends the streams, and returns all lines. */
    end: async () => {
      followers.end();
      await Promise.all(closed);
      return lines;
    },
  };
}

t.test('a follower learns that a finding was retracted, once', async (t) => {
  const { scene, pass, end } = followed(`${shop}---${ingressPolicy('db', 'web')}`);
  scene.see('n1', record({ synRetries: 1 }));
  await pass(3 * second);
  scene.see('n1', answered({ firstUs: t0 + 4 * second, lastUs: t0 + 4 * second }));
  await pass(second);
  await pass(second);
  const { finding } = await end();
  const { id } = finding[0]!;
  t.match(finding, [
    { kind: 'broken', connections: 1 },
    { id, gone: true },
  ]);
});

t.test('a follower learns that a connection was merged into another one', async (t) => {
  const { scene, pass, end } = followed(shop);
  const service = { responder: ip('10.96.0.10'), responderPort: 80 };
  const { initiator, initiatorPort, responder, responderPort } = answered();
  const ends = { initiator, initiatorPort };
  const translation = {
    original: { ...ends, ...service },
    translated: { ...ends, responder, responderPort },
  };
  scene.see('n2', atDestination(answered()));
  scene.see('n1', answered({ ...service, beganUs: t0 + 1 }));
  await pass(12 * second);
  scene.see('n1', answered({ ...service, translation, beganUs: t0 + 1, firstUs: t0 + second, lastUs: t0 + second }));
  await pass(second);
  const { connection } = await end();
  const gone = connection.filter((line) => line.gone === true);
  t.equal(gone.length, 1);
  t.ok(
    connection.some((line) => line.id === gone[0]!.id && line.gone === undefined),
    'it was shown before',
  );
});

/** Keeps findings in memory; fails while `broken` is set. */
class MemoryStore {
  readonly findings = new Map<string, Finding>();
  broken = false;
  async write({ findings = [], removedFindings = [] }: Partial<StoreChanges>): Promise<void> {
    if (this.broken) throw new Error('disk full');
    for (const one of findings) this.findings.set(one.id, one);
    for (const id of removedFindings) this.findings.delete(id);
  }
  async findingsOf(families: readonly FindingFamily[]): Promise<Finding[]> {
    if (this.broken) throw new Error('disk full');
    const isOf = (finding: Finding) =>
      families.some(({ kind, initiator }) => kind === finding.kind && initiator === workloadKey(finding.initiator));
    return [...this.findings.values()].filter(isOf);
  }
}

const closed = `${shop}---${ingressPolicy('db', 'api')}`;
const toPort = (port: number) => answered({ responderPort: port, initiatorPort: 30_000 + port });

t.test('a port scan becomes one finding, and a follower never loses a count', async (t) => {
  const { scene, pass, end } = followed(closed);
  for (const [from, to] of [
    [1, 15],
    [16, 300],
  ] as const) {
    for (let port = from; port <= to; port++) scene.seeBoth(toPort(port));
    await pass(second);
  }
  scene.seeBoth(toPort(1), toPort(301));
  await pass(second);
  const shown = new Map<unknown, number>();
  const counts: number[] = [];
  const lines = (await end()).finding;
  for (const line of lines) {
    if (line.gone === true) shown.delete(line.id);
    else shown.set(line.id, line.connections as number);
    counts.push([...shown.values()].reduce((sum, one) => sum + one, 0));
  }
  t.same(
    counts.slice(0, 15),
    Array.from({ length: 15 }, (_, i) => i + 1),
  );
  t.ok(counts.slice(15).every((count) => count >= 300));
  t.equal(counts.at(-1), 301);
  const rolledUp = lines.filter(({ ports }) => ports !== undefined);
  t.match(rolledUp, [
    { kind: 'bypass', severity: 'critical', protocol: 'TCP', connections: 300, ports: { count: 300 } },
    {
      id: rolledUp[0]!.id,
      connections: 301,
      ports: { count: 301, first: Array.from({ length: 20 }, (_, i) => i + 1) },
    },
  ]);
  t.equal(rolledUp[0]!.port, undefined);
  const gone = lines.filter((line) => line.gone === true).map(({ id }) => id);
  t.same(
    gone,
    lines.slice(0, 15).map(({ id }) => id),
    'every single finding is gone, once',
  );
});

t.test('an evicted finding keeps its count and first time', async (t) => {
  const store = new MemoryStore();
  const { scene, pass, end } = followed(`${shop}---${podManifest('job', 'n1', '10.0.1.9')}`, store, 1);
  scene.report('n1', [
    { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] },
    { index: 8, podUid: 'uid-job', addresses: ['10.0.1.9'] },
  ]);
  const fromJob = { initiator: ip('10.0.1.9'), interfaceIndex: 8 };
  scene.seeBoth(answered({ initiatorPort: 1 }));
  await pass(second);
  scene.seeBoth(answered({ ...fromJob, initiatorPort: 2 }));
  await pass(second);
  t.equal(scene.pipeline.findings().length, 1, 'one is evicted');
  const later = { beganUs: scene.nowUs, firstUs: scene.nowUs, lastUs: scene.nowUs };
  scene.seeBoth(answered({ ...later, initiatorPort: 3 }), answered({ ...fromJob, ...later, initiatorPort: 4 }));
  await pass(second);
  const found = [...store.findings.values()].map(({ initiator, connections, firstSeenUs }) => [
    initiator.workload,
    connections,
    firstSeenUs,
  ]);
  t.same(found.sort(), [
    ['job', 2, t0],
    ['web', 2, t0],
  ]);
  await end();
});

t.test('while the store fails, no finding is evicted and no count is lost', async (t) => {
  const store = new MemoryStore();
  const { scene, pass, end } = followed(closed, store, 1);
  scene.seeBoth(toPort(1), toPort(2));
  await pass(second);
  store.broken = true;
  for (const port of [1, 2, 3]) {
    scene.seeBoth(answered({ responderPort: port, initiatorPort: 100 + port }));
    await pass(second);
  }
  store.broken = false;
  await pass(second);
  const counts = [...store.findings.values()].map(({ port, connections }) => [port, connections]);
  t.same(counts.sort(), [
    [1, 2],
    [2, 2],
    [3, 1],
  ]);
  await end();
});
