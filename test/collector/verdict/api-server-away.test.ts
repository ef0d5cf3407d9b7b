import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { clusterEventLog } from '../../../cluster/event-log.ts';
import { OpenProblems } from '../../../cluster/open-problems.ts';
import { apiSource } from '../../../cluster/watch/api-source.ts';
import { readinessOf } from '../../../collector/readiness.ts';
import { HandClock } from '../../scene/hand-clock.ts';
import { MemoryApiServer } from '../../scene/memory-api-server.ts';
import { ingressPolicy, podManifest, Scene, shop } from '../../scene/pipeline.ts';
import { answered, atDestination, ip, second } from '../../scene/records.ts';

const webLink = { index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] };
const dbLink = { index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] };
const cacheLink = { index: 10, podUid: 'uid-cache', addresses: ['10.0.2.4'] };
const objects = `${shop}---${podManifest('cache', 'n2', '10.0.2.4')}---${ingressPolicy('db', 'api')}---${ingressPolicy('cache', 'api')}`;

/** The collector's pipeline, with the cluster from an API server and both agents. */
class AwayScene extends Scene {
  readonly server = new MemoryApiServer();
  readonly problems = new OpenProblems();
  readonly log: string[] = [];
  readonly #clock = new HandClock();

  static async start(t: Test): Promise<AwayScene> {
    const scene = new AwayScene('');
    scene.server.put(objects);
    const source = apiSource({
      server: scene.server,
      scope: { of: 'cluster' },
      clock: scene.#clock,
      random: () => 0.99,
    });
    const write = (fields: object, message: string) => scene.log.push([message, ...Object.values(fields)].join(' '));
    const log = clusterEventLog({ info: write, warn: write }, scene.problems);
    await source.start((event) => {
      log(event);
      scene.cluster.receive(event);
    });
    t.teardown(() => source.stop());
    scene.report('n1', [webLink]);
    scene.report('n2', [dbLink, cacheLink]);
    await scene.seconds(30);
    return scene;
  }

  async leave(): Promise<void> {
    this.server.leave();
    await setImmediate();
  }

  async seconds(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.#clock.advance(1_000);
      for (let turn = 0; turn < 10; turn++) await setImmediate();
      this.pass(second);
    }
  }

  /** From web to db, or to the address on node n2, delivered and short. */
  connect(initiatorPort: number, to = '10.0.2.3'): void {
    const times = { beganUs: this.nowUs, firstUs: this.nowUs, lastUs: this.nowUs + 1000 };
    const seen = answered({ ...times, initiatorPort, responder: ip(to), ended: true });
    this.see('n1', seen);
    this.see('n2', { ...atDestination(seen), interfaceIndex: to === '10.0.2.3' ? 9 : 10 });
  }

  verdictOf(initiatorPort: number): string {
    const { verdict, unknownReason } = [...this.connections.values()].find(
      (one) => one.initiatorPort === initiatorPort,
    )!;
    return unknownReason === '' ? verdict : `${verdict}: ${unknownReason}`;
  }
}

t.test('API server away for 10 minutes: a bypass in that time is reported within a minute of its return', async (t) => {
  const scene = await AwayScene.start(t);
  t.same(readinessOf(scene.cluster), { ready: true, reason: 'ready' });
  await scene.leave();
  await scene.seconds(180);
  t.match(readinessOf(scene.cluster), { ready: false, reason: /^cluster state is stale \(.*pods since 00:00:30/ });
  t.ok(scene.log.some((line) => /^cluster state is stale, .* pods 2026-01-01T00:00:30/.test(line)));
  t.ok(scene.problems.all.some(({ problem, count }) => problem.code === 'api-unreachable' && count > 2));

  scene.connect(1);
  scene.connect(2, '10.0.2.4');
  await scene.seconds(5);
  t.match(scene.verdictOf(1), /^unknown: cluster state is stale \(pods since 00:00:30, namespaces since 00:00:30\)$/);
  t.same(scene.kinds(), []);
  scene.server.put(ingressPolicy('cache', 'web'));
  await scene.seconds(415);

  scene.server.comeBack();
  let waited = 0;
  for (; scene.kinds().length === 0 && waited < 120; waited += 1) await scene.seconds(1);
  t.ok(waited <= 60, `after ${waited} s`);
  await scene.seconds(60);
  t.same(scene.kinds(), ['bypass', 'unevaluated']);
  t.equal(scene.verdictOf(1), 'denied');
  t.match(
    scene.verdictOf(2),
    /^unknown: cluster state was stale \(networkpolicies changed between 00:00:.* and 00:10:/,
  );
  t.same(readinessOf(scene.cluster), { ready: true, reason: 'ready' });
  t.ok(scene.log.some((line) => /^cluster state is current again pods 2026-01-01T00:00:30/.test(line)));
  t.same(scene.problems.all, [], 'the problems are fixed');
});

t.test('an API server that is away for 5 s changes no verdict', async (t) => {
  const scene = await AwayScene.start(t);
  await scene.leave();
  await scene.seconds(3);
  scene.connect(1);
  await scene.seconds(2);
  scene.server.comeBack();
  await scene.seconds(30);
  t.equal(scene.verdictOf(1), 'denied');
  t.same(scene.kinds(), ['bypass']);
  t.notOk(scene.log.some((line) => line.startsWith('cluster state is stale')));
});
