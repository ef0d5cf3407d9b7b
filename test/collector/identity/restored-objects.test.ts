import fc from 'fast-check';
import t from 'tap';
import { ClusterHistory } from '../../../collector/identity/cluster-history.ts';
import { restoreObjects } from '../../../collector/identity/restored-objects.ts';
import { ObjectJournal } from '../../../collector/store/object-journal.ts';
import type { ClusterEvent, ClusterObject } from '../../../model/kubernetes.ts';
import type { ObjectVersion } from '../../../model/object-version.ts';
import { judge } from '../../../policy/judge.ts';
import { defaultPolicyOptions } from '../../../policy/options.ts';
import { pod as party } from '../../scene/cluster.ts';
import { ingressPolicy, podManifest, Scene, shop } from '../../scene/pipeline.ts';
import { db, second, t0, web } from '../../scene/records.ts';
import { MemoryObjects } from '../../scene/restarting-scene.ts';

const objects = (manifests: string) => new Scene('').objects(manifests);
const hourUs = 3_600 * second;

const log = { error: () => {} };

/** Everything that the history answers about the scene's objects at a time. */
function answers(history: ClusterHistory, timeUs: number) {
  const flow = {
    initiator: party('shop/web', { app: 'web' }),
    responder: party('shop/db', { app: 'db' }),
    protocol: 6,
    port: 5432,
  };
  return {
    owners: [web, db].map((address) => history.ownerOf(address, timeUs)),
    pods: ['uid-web', 'uid-db', 'uid-new'].map((uid) => [
      history.pod(uid, timeUs)?.labels,
      history.podKnownAt(uid, timeUs),
    ]),
    labels: history.namespaceLabels('shop', timeUs),
    verdict: judge(flow, history.policies.at(timeUs), defaultPolicyOptions).verdict,
    doubt: [history.gaps.doubt('Pod', ['uid-db'], timeUs), history.policies.uncertainAt(timeUs).length],
  };
}

const changes: readonly (readonly ['put' | 'gone', string])[] = [
  ['put', podManifest('db', 'n2', '10.0.2.3').replace('{ app: db }', '{ app: other }')],
  ['put', podManifest('db', 'n2', '10.0.2.3')],
  ['gone', podManifest('db', 'n2', '10.0.2.3')],
  ['put', podManifest('new', 'n2', '10.0.2.3')],
  ['gone', podManifest('new', 'n2', '10.0.2.3')],
  ['put', ingressPolicy('db', '')],
  ['put', ingressPolicy('db', 'web')],
  ['gone', ingressPolicy('db', '')],
  ['put', 'apiVersion: v1\nkind: Namespace\nmetadata: { name: shop, labels: { a: b } }'],
];

t.test('after restarts at any time, the history answers as if there had been none', async (t) => {
  const step = fc.record({ change: fc.constantFrom(...changes), missed: fc.boolean(), restart: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 7 }), async (steps) => {
      const store = new MemoryObjects();
      const whole = new ClusterHistory();
      let restarted = new ClusterHistory();
      let journal = new ObjectJournal(store, false, log);
      const receive = (event: ClusterEvent): void => {
        whole.receive(event);
        restarted.receive(event);
        journal.receive(event);
      };
      for (const object of objects(shop)) receive({ type: 'put', object, atUs: t0 });
      receive({ type: 'synced', atUs: t0 });
      let nowUs = t0;
      for (const { change, missed, restart } of steps) {
        nowUs += second;
        const [type, manifests] = change;
        const since = missed ? { sinceUs: nowUs - second / 2 } : {};
        for (const object of objects(manifests)) receive({ type, object, atUs: nowUs, ...since });
        if (!restart) continue;
        await journal.write({ untilUs: {}, versions: {} });
        restarted = new ClusterHistory();
        restoreObjects(store.versions, store.known!, nowUs - hourUs, (event) => restarted.receive(event));
        journal = new ObjectJournal(store, true, log);
        journal.receive({ type: 'synced', atUs: nowUs });
      }
      for (let timeUs = t0; timeUs <= nowUs + second; timeUs += second / 4)
        t.same(answers(restarted, timeUs), answers(whole, timeUs), `${(timeUs - t0) / second} s`);
    }),
    { numRuns: 60 },
  );
});

t.test('objects that existed an hour ago count as older than everything, and deleted ones are gone', async (t) => {
  const versions: ObjectVersion[] = objects(shop).map((object) => ({ type: 'put', object, version: '1', fromUs: 0 }));
  const [old] = objects(podManifest('db', 'n2', '10.0.2.3')) as [ClusterObject];
  versions.push({ type: 'gone', object: old, version: '', fromUs: t0 });
  const history = new ClusterHistory();
  const former = restoreObjects(versions, { untilUs: { Pod: t0 }, versions: {} }, t0 + second, (event) =>
    history.receive(event),
  );
  t.same(
    former.objects.map(({ object }) => object.name),
    ['shop', 'n1', 'n2', 'web'],
  );
  t.equal(history.pod('uid-db', t0), undefined);
  t.match(history.ownerOf(web, 1), { owner: 'pod', uid: 'uid-web' });
});

t.test(
  'a version that the source knew later is the one to compare, except for a change that was stored after it',
  async (t) => {
    const [one, two] = objects(`${podManifest('web', 'n1', '10.0.1.2')}---${podManifest('db', 'n2', '10.0.2.3')}`) as [
      ClusterObject,
      ClusterObject,
    ];
    const known = { untilUs: { Pod: t0 }, versions: { 'Pod/shop/web': 'heartbeat', 'Pod/shop/db': 'before' } };
    const former = restoreObjects(
      [
        { type: 'put', object: one, version: 'first', fromUs: 0 },
        { type: 'put', object: two, version: 'after', fromUs: t0 + second },
      ],
      known,
      0,
      () => {},
    );
    t.same(
      former.objects.map(({ version }) => version),
      ['heartbeat', 'after'],
    );
    t.same(former.untilUs, { Pod: t0 + second });
  },
);

t.test('a run that ends before its first list keeps what the former run knew', async (t) => {
  const store = new MemoryObjects();
  const known = { untilUs: { Pod: t0 }, versions: {} };
  const first = new ObjectJournal(store, false, log);
  await first.write({ untilUs: {}, versions: {} });
  t.equal(store.known, undefined);
  first.receive({ type: 'synced', atUs: t0 });
  await first.write(known);
  await new ObjectJournal(store, true, log).write({ untilUs: {}, versions: {} });
  t.equal(store.known, known);
});
