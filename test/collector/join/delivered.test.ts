import t from 'tap';
import { type Coverage, deliveredOf, type ExpectedDelivery } from '../../../collector/join/delivered.ts';
import { groupId, groupInitiator, joinedOf } from '../../../collector/join/observation.ts';
import { outcomeOf } from '../../../collector/join/outcome.ts';
import { groupsOf } from '../../../collector/join/pairing.ts';
import { sideOf } from '../../../collector/join/side.ts';
import type { JoinedConnection } from '../../../model/joined.ts';
import { TCP, UDP } from '../../../model/protocol.ts';
import type { ConnectionRecord } from '../../../model/record.ts';
import type { InterfaceLoss } from '../../../model/unrecorded.ts';
import { answered, atDestination, db, record, reset, second, t0 } from '../../scene/records.ts';

const atDb: ExpectedDelivery = { at: 'pod', podUid: 'db', address: db };
const nowUs = t0 + 2 * second;
const maxWaitUs = 120 * second;

function joined(...records: ConnectionRecord[]): JoinedConnection {
  const sides = records.map((one) => sideOf(one, one.point === 'source' ? 'n1' : 'n2', 0));
  const [group] = groupsOf(sides, { seesFromPod: () => true, isBackend: () => false });
  const initiator = groupInitiator(group!, undefined);
  return joinedOf(groupId(group!, initiator), group!, initiator, () => false);
}

function coverage(change: {
  gapFreeSinceUs?: number;
  seesToPod?: boolean;
  lastLossUs?: number;
  losses?: readonly InterfaceLoss[];
  away?: true;
  coveredUntilUs?: number;
}): Coverage {
  return {
    interfaceOf: () => ({
      node: 'n2',
      gapFreeSinceUs: change.gapFreeSinceUs ?? 0,
      goneUs: 0,
      seesFromPod: true,
      seesToPod: change.seesToPod ?? true,
      losses: change.losses ?? [],
    }),
    coveredUntilUs: () => change.coveredUntilUs ?? nowUs,
    allCoveredUntilUs: () => nowUs,
    reportingAgent: () => (change.away ? undefined : { coveredUntilUs: nowUs, lastLossUs: change.lastLossUs ?? 0 }),
  };
}

t.test('an interface that is watched since about that time may have missed the packet: clocks differ', async (t) => {
  const attempt = joined(record());
  const since = (us: number) => deliveredOf(attempt, atDb, coverage({ gapFreeSinceUs: us }), nowUs, maxWaitUs);
  t.same(since(t0 - second), { delivered: 'no' });
  for (const us of [t0 - 100_000, t0, t0 + second]) t.same(since(us), { delivered: 'unknown', why: 'not-watched' });
});

t.test('seen at the responder: yes', async (t) => {
  const seen = joined(record(), atDestination(record()));
  t.same(deliveredOf(seen, atDb, coverage({}), nowUs, maxWaitUs), { delivered: 'yes', by: 'seen' });
});

t.test('seen while other TC/TCX programs changed: unknown, unless an answer proves delivery', async (t) => {
  const seen = joined(record(), atDestination(record({ deliveryUnproven: true })));
  t.same(deliveredOf(seen, atDb, coverage({}), nowUs, maxWaitUs), { delivered: 'unknown', why: 'filters-changed' });
  const proven = joined(answered(), atDestination(answered({ deliveryUnproven: true })));
  t.same(deliveredOf(proven, atDb, coverage({}), nowUs, maxWaitUs), { delivered: 'yes', by: 'answer' });
});

t.test(
  "an answer that did not leave the responder's interface, which was watched: something in between sent it",
  async (t) => {
    const inBetween = { delivered: 'unknown', why: 'answered-in-between' };
    t.same(deliveredOf(joined(answered()), atDb, coverage({}), nowUs, maxWaitUs), inBetween);
    const unproven = joined(answered(), atDestination(record({ deliveryUnproven: true })));
    t.same(
      deliveredOf(unproven, atDb, coverage({}), nowUs, maxWaitUs),
      inBetween,
      'the SYN was seen there, the answer was not',
    );
    const proof = { delivered: 'yes', by: 'answer' };
    for (const change of [
      { away: true },
      { lastLossUs: t0 },
      { seesToPod: false },
      { gapFreeSinceUs: t0 + 1 },
    ] as const)
      t.same(deliveredOf(joined(answered()), atDb, coverage(change), nowUs, maxWaitUs), proof, JSON.stringify(change));
  },
);

t.test('packets of two senders with the same addresses and ports prove nothing about one of them', async (t) => {
  const seen = { ...joined(record(), atDestination(record())), senderAmbiguous: true };
  t.same(deliveredOf(seen, atDb, coverage({}), nowUs, maxWaitUs), { delivered: 'unknown', why: 'sender-ambiguous' });
});

t.test('an answer seen anywhere: yes', async (t) => {
  t.same(deliveredOf(joined(answered()), { at: 'outside' }, coverage({}), nowUs, maxWaitUs), {
    delivered: 'yes',
    by: 'answer',
  });
  const udp = joined(record({ protocol: UDP, packets: { forward: 1, reverse: 1 } }));
  t.same(deliveredOf(udp, { at: 'outside' }, coverage({}), nowUs, maxWaitUs), { delivered: 'yes', by: 'answer' });
});

t.test("a reset that left the pod's own interface: yes, though the request was not visible there", async (t) => {
  const seen = joined(reset(), atDestination(reset({ packets: { forward: 0, reverse: 1 } })));
  t.same(deliveredOf(seen, atDb, coverage({}), nowUs, maxWaitUs), { delivered: 'yes', by: 'answer' });
});

t.test('a reset seen only at the source proves nothing: an enforcer may have sent it', async (t) => {
  t.same(deliveredOf(joined(reset()), atDb, coverage({}), nowUs, maxWaitUs), { delivered: 'no' });
  t.same(deliveredOf(joined(reset()), atDb, coverage({ away: true }), nowUs, maxWaitUs), {
    delivered: 'unknown',
    why: 'not-watched',
  });
});

t.test('an ICMP error is not an answer', async (t) => {
  const udp = joined(record({ protocol: UDP, packets: { forward: 1, reverse: 1 }, unreachable: true }));
  t.equal(deliveredOf(udp, atDb, coverage({}), nowUs, maxWaitUs).delivered, 'no');
});

t.test('an answer and an ICMP error of one interval: the answer counts', async (t) => {
  const packets = { forward: 2, reverse: 2 };
  const udp = joined(record({ protocol: UDP, packets, unreachable: true, answered: true }));
  t.same(deliveredOf(udp, { at: 'outside' }, coverage({}), nowUs, maxWaitUs), { delivered: 'yes', by: 'answer' });
  t.equal(outcomeOf(udp), 'established');
});

t.test('nothing seen at an interface that was watched the whole time: no', async (t) => {
  t.same(deliveredOf(joined(record()), atDb, coverage({}), nowUs, maxWaitUs), { delivered: 'no' });
});

t.test(
  'an answer to an agent that is away proves nothing while that agent may come back with its records',
  async (t) => {
    const attempt = joined(answered());
    const away = coverage({ away: true, coveredUntilUs: t0 });
    const notReported = { delivered: 'unknown', why: 'not-reported' };
    t.same(deliveredOf(attempt, atDb, away, nowUs, maxWaitUs), notReported);
    t.same(deliveredOf(joined(record()), atDb, away, nowUs, maxWaitUs), notReported, 'without an answer');
    const proof = { delivered: 'yes', by: 'answer' };
    t.same(deliveredOf(attempt, atDb, away, t0 + maxWaitUs + second, maxWaitUs), proof, 'it does not come back');
  },
);

t.test('nothing seen at an interface that was not fully watched: unknown, with the reason', async (t) => {
  const cases = [
    ['the agent is away', { away: true }, 'not-watched'],
    ['the interface appeared later', { gapFreeSinceUs: t0 + 1 }, 'not-watched'],
    ['losses were counted', { lastLossUs: t0 + second }, 'losses'],
    ['that direction is never seen', { seesToPod: false }, 'half-visible'],
  ] as const;
  for (const [name, change, why] of cases) {
    t.same(
      deliveredOf(joined(record()), atDb, coverage(change), nowUs, maxWaitUs),
      { delivered: 'unknown', why },
      name,
    );
  }
  t.same(
    deliveredOf(joined(record()), { at: 'outside' }, coverage({}), nowUs, maxWaitUs),
    { delivered: 'unknown', why: 'responder-outside' },
    'the responder is outside',
  );
  t.same(
    deliveredOf(joined(record()), { at: 'service' }, coverage({}), nowUs, maxWaitUs),
    { delivered: 'unknown', why: 'backend-not-known' },
    'the backend of the Service is not known',
  );
});

t.test('losses long before the connection do not matter', async (t) => {
  t.equal(
    deliveredOf(joined(record()), atDb, coverage({ lastLossUs: t0 - 3 * second }), nowUs, maxWaitUs).delivered,
    'no',
  );
});

t.test(
  "losses at the responder's interface: only those that may be the connection make delivery unknown",
  async (t) => {
    const [toPod, fromPod, any] = ['to-pod', 'from-pod', 'unknown'] as const;
    const loss = (change: Partial<InterfaceLoss>): InterfaceLoss => ({
      ...{ of: 'connections', direction: toPod, protocol: TCP, port: 5432, lastUs: t0 },
      ...change,
    });
    const unknown = { delivered: 'unknown', why: 'losses' };
    const deliveredWith = (change: Partial<InterfaceLoss>, one: ConnectionRecord = record()) =>
      deliveredOf(joined(one), atDb, coverage({ losses: [loss(change)] }), nowUs, maxWaitUs);
    for (const change of [
      {},
      { port: 0 },
      { protocol: 0, port: 0 },
      { direction: any },
      { of: 'packets', protocol: 0, port: 0 },
      { lastUs: Number.POSITIVE_INFINITY },
      { lastUs: t0 - second },
    ] as const)
      t.same(deliveredWith(change), unknown, JSON.stringify(change));
    for (const change of [
      { port: 5433 },
      { protocol: UDP },
      { direction: fromPod },
      { of: 'packets', direction: fromPod, protocol: 0, port: 0 },
      { lastUs: t0 - 4 * second },
    ] as const)
      t.same(deliveredWith(change), { delivered: 'no' }, JSON.stringify(change));
    const lostAnswer = { of: 'packets', direction: fromPod, protocol: 0, port: 0 } as const;
    t.same(deliveredWith(lostAnswer, answered()), { delivered: 'yes', by: 'answer' }, 'the answer may be among them');
    t.same(deliveredWith({ direction: fromPod }, answered()), { delivered: 'unknown', why: 'answered-in-between' });
  },
);
