// Which sides are one connection if ports are reused, an agent lags or restarts, or both ends send a SYN.
import t from 'tap';
import { UDP } from '../../../model/protocol.ts';
import { ACK, type ConnectionRecord, SYN } from '../../../model/record.ts';
import { ingressPolicy, Scene, shop } from '../../scene/pipeline.ts';
import { answered, atDestination, db, ip, record, reversed, second, t0, web } from '../../scene/records.ts';

const manifests = `${shop}---${ingressPolicy('db', 'web')}`;
const webLink = { index: 7, podUid: 'uid-web', addresses: [web] };
const dbLink = { index: 9, podUid: 'uid-db', addresses: [db] };

function watched(text = manifests): Scene {
  const scene = new Scene(text);
  scene.report('n1', [webLink]);
  scene.report('n2', [dbLink]);
  return scene;
}

/** One reuse of the ports, `seconds` after t0. */
function use(seconds: number, change: Partial<ConnectionRecord> = {}): ConnectionRecord {
  const atUs = t0 + seconds * second;
  return answered({ beganUs: atUs, firstUs: atUs, lastUs: atUs + 100_000, ended: true, ...change });
}

function sides(scene: Scene) {
  return [...scene.connections.values()]
    .sort((a, b) => a.startUs - b.startUs)
    .map(({ observed, startUs, delivered, sequenceRewritten }) =>
      [
        (startUs - t0) / second,
        observed.join('+'),
        delivered.delivered,
        ...(sequenceRewritten ? ['rewritten'] : []),
      ].join(' '),
    );
}

t.test('ports reused while one agent lags: each side finds its own partner, none is counted twice', async (t) => {
  for (const isns of [true, false]) {
    const scene = new Scene(manifests);
    scene.report('n1', [webLink]);
    scene.report('n2', [dbLink]);
    const uses = [0, 1, 2, 3].map((seconds) => use(seconds, isns ? { isn: 100 + seconds } : {}));
    for (const one of uses) {
      scene.see('n1', one);
      scene.nowUs += second;
      scene.pipeline.tick(scene.nowUs);
    }
    // The agent of n2 is far behind: it reports 30 s later.
    for (let i = 0; i < 30; i++) {
      scene.nowUs += second;
      scene.report('n1', [webLink]);
      scene.pipeline.tick(scene.nowUs);
    }
    scene.see('n2', ...uses.map((one) => atDestination({ ...one, beganUs: one.beganUs + 80_000 })));
    scene.pass(5 * second);
    t.same(
      sides(scene),
      [0, 1, 2, 3].map((seconds) => `${seconds} source+destination yes`),
      isns ? 'with sequence numbers' : 'without',
    );
  }
});

t.test('a side waits for the other agent at most join.maxWait; then delivery is unknown', async (t) => {
  const scene = new Scene(manifests);
  scene.report('n1', [webLink]);
  scene.report('n2', [dbLink]);
  scene.see('n1', use(0));
  for (let i = 0; i < 130; i++) {
    scene.nowUs += second;
    scene.report('n1', [webLink]);
    scene.pipeline.tick(scene.nowUs);
  }
  scene.see('n2', atDestination(use(0)));
  scene.pass(15 * second);
  t.equal(scene.connections.size, 2);
});

t.test('a second SYN with another number was blocked: the answer to the first does not deliver it', async (t) => {
  const scene = watched();
  const first = use(0, { isn: 1 });
  const second_ = record({ isn: 2, beganUs: t0 + 300_000, firstUs: t0 + 300_000, lastUs: t0 + 300_000 });
  scene.see('n1', first, second_);
  scene.see('n2', atDestination(first));
  scene.pass(15 * second);
  t.same(sides(scene), ['0 source+destination yes', '0.3 source no']);
});

t.test('different numbers separate only sides that may each belong to another one', async (t) => {
  const proxied = watched();
  proxied.see('n1', use(0, { isn: 1 }));
  proxied.see('n2', atDestination(use(0, { isn: 77 })));
  proxied.pass(15 * second);
  t.same(sides(proxied), ['0 source+destination yes rewritten'], 'a sole candidate is joined and marked');

  const reused = watched();
  reused.see('n1', use(0, { isn: 1 }), use(0.3, { isn: 2 }));
  reused.see('n2', atDestination(use(0.05, { isn: 2 })), atDestination(use(0.35, { isn: 3 })));
  reused.pass(15 * second);
  t.same(
    sides(reused),
    ['0 source unknown', '0.3 source+destination yes', '0.35 destination yes'],
    'equal numbers are joined, and the rest is separate',
  );

  const later = watched();
  later.see('n1', use(0, { isn: 1 }));
  later.see('n2', atDestination(use(4, { isn: 7 })));
  later.pass(15 * second);
  t.equal(later.connections.size, 2, 'their times do not overlap');
});

t.test('a rewritten number makes a bypass high, because the sides may be two connections', async (t) => {
  const scene = watched(`${shop}---${ingressPolicy('db', 'api')}`);
  scene.see('n1', use(0, { isn: 1 }));
  scene.see('n2', atDestination(use(0, { isn: 77 })));
  scene.pass(15 * second);
  t.match([...scene.findings.values()], [{ kind: 'bypass', severity: 'high', explanation: /sequence numbers differ/ }]);
});

t.test('the sender chooses the number: closed, then denied and reopened with the same one, is a bypass', async (t) => {
  const scene = watched();
  const first = use(0, { isn: 42 });
  scene.seeBoth(first);
  scene.pass(5 * second);
  scene.put(ingressPolicy('db', 'api'));
  scene.pass(15 * second);
  const again = (scene.nowUs - t0) / second;
  scene.seeBoth(use(again, { isn: 42 }));
  scene.pass(15 * second);
  t.equal(scene.connections.size, 2);
  t.same(
    [...scene.findings.values()].map(({ kind, severity }) => `${kind} ${severity}`),
    ['bypass critical'],
  );
});

t.test('both ends send a SYN: one connection, begun by the first SYN, and the initiator is not certain', async (t) => {
  const policies = `${shop}---${ingressPolicy('db', 'api')}`;
  const flags = { tcpFlags: { forward: SYN | ACK, reverse: SYN | ACK }, bothSentSyn: true };
  const fromWeb = answered({ ...flags, isn: 1 });
  const fromDb = {
    ...reversed(atDestination(answered({ ...flags, beganUs: t0 + 1000, firstUs: t0 + 1000 }))),
    initiatorBy: 'handshake' as const,
    isn: 2,
  };
  t.equal(fromDb.initiator, db);
  for (const order of ['source first', 'destination first']) {
    const scene = watched(policies);
    const see = [() => scene.see('n1', fromWeb), () => scene.see('n2', fromDb)];
    for (const one of order === 'source first' ? see : see.reverse()) one();
    scene.pass(15 * second);
    t.match(
      [...scene.connections.values()],
      [{ initiator: { pod: 'web' }, initiatorInferred: true, verdict: 'denied', observed: ['source', 'destination'] }],
      order,
    );
    t.equal(scene.connections.size, 1);
    t.same(
      [...scene.findings.values()].map(({ kind, severity }) => `${kind} ${severity}`),
      ['bypass high'],
      order,
    );
  }
});

t.test('records without a beginning, from an agent that restarted, continue the connection', async (t) => {
  const scene = watched();
  scene.seeBoth(answered());
  scene.pass(2 * second);
  const later = { beganUs: t0 + 2 * second, firstUs: t0 + 2 * second, lastUs: t0 + 2 * second };
  const rest = answered({ ...later, initiatorBy: 'inferred', tcpFlags: { forward: ACK, reverse: ACK } });
  scene.see('n1', rest);
  scene.see('n2', atDestination(answered({ firstUs: later.firstUs, lastUs: later.lastUs })));
  scene.pass(5 * second);
  t.equal(scene.connections.size, 1);
  t.match([...scene.connections.values()], [{ packets: { forward: 4, reverse: 2 }, midStream: false }]);
});

t.test('a second beginning of what has not ended is the same connection', async (t) => {
  const at = (seconds: number) => ({
    beganUs: t0 + seconds * second,
    firstUs: t0 + seconds * second,
    lastUs: t0 + seconds * second,
  });
  const udp = { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 } };
  for (const [name, first, again, other] of [
    ['UDP', record({ ...udp, ...at(0) }), record({ ...udp, ...at(5) }), record({ ...udp, ...at(65 + 60) })],
    [
      'TCP with the same number',
      record({ isn: 9, ...at(0) }),
      record({ isn: 9, ...at(3) }),
      record({ isn: 10, ...at(6) }),
    ],
  ] as const) {
    const scene = watched();
    scene.see('n1', first, again);
    scene.see('n2', atDestination({ ...first, lastUs: again.lastUs }));
    scene.pass(15 * second);
    t.same(sides(scene), ['0 source+destination yes'], name);
    scene.nowUs = Math.max(scene.nowUs, other.lastUs);
    scene.see('n1', other);
    scene.pass(15 * second);
    t.equal(scene.connections.size, 2, `${name}: after the idle time, or with another number, it is another one`);
  }
});

t.test('addresses that are not unique are never joined across interfaces', async (t) => {
  const scene = watched(shop);
  const detection = { protocol: 58, initiatorPort: 0, responderPort: 0, tcpFlags: { forward: 0, reverse: 0 } };
  for (const [from, to] of [
    ['::', 'ff02::16'],
    ['fe80::1', 'fe80::2'],
    ['0.0.0.0', '255.255.255.255'],
    ['10.0.1.2', '224.0.0.251'],
  ] as const) {
    const one = record({ ...detection, protocol: UDP, initiator: ip(from), responder: ip(to) });
    scene.see('n1', one);
    scene.see('n2', atDestination(one));
  }
  scene.pass(15 * second);
  t.equal(scene.connections.size, 8);
  t.ok([...scene.connections.values()].every(({ observed }) => observed.length === 1));
  t.same(scene.kinds(), []);
  t.ok(
    [...scene.connections.values()].every(({ unknownReason }) => unknownReason.startsWith('not evaluated: multicast')),
    'the reason is the scope, not the sender',
  );
});
