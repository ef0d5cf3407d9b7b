import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import t from 'tap';
import type { Change } from '../../collector/api/api.ts';
import { Followers, followLimits } from '../../collector/api/follow.ts';
import { Publisher } from '../../collector/publish.ts';
import { PendingWrites } from '../../collector/store/pending-writes.ts';
import type { Connection } from '../../model/connection.ts';
import type { Finding } from '../../model/finding.ts';
import { ingressPolicy, Scene, shop } from '../scene/pipeline.ts';
import { answered, atDestination, ip, record, second, t0 } from '../scene/records.ts';

const silent = pino({ level: 'silent' });
const noWrites = {
  putConnections: async () => undefined,
  removeConnections: async () => undefined,
  putFindings: async () => undefined,
  removeFindings: async () => undefined,
};

/** A scene whose changes are published to a follower of findings and one of connections. */
function followed(manifests: string) {
  const scene = new Scene(manifests);
  scene.report('n1', [{ index: 7, podUid: 'uid-web', addresses: ['10.0.1.2'] }]);
  scene.report('n2', [{ index: 9, podUid: 'uid-db', addresses: ['10.0.2.3'] }]);
  const listeners = new Set<(change: Change) => void>();
  const targets = { listeners, series: undefined, pendingWrites: new PendingWrites(1000), store: noWrites };
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
    const reader = createInterface({ input: followers.follow(of, { last: 10 }, false) });
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
