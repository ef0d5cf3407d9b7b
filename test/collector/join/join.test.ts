import t from 'tap';
import { Join, type JoinOptions } from '../../../collector/join/join.ts';
import { outcomeOf } from '../../../collector/join/outcome.ts';
import type { FindBackends } from '../../../collector/join/side-index.ts';
import type { JoinedConnection } from '../../../model/joined.ts';
import { UDP } from '../../../model/protocol.ts';
import { ACK, type ConnectionRecord } from '../../../model/record.ts';
import { answered, atDestination, db, ip, record, reset, reversed, second, t0, web } from '../../scene/records.ts';

const serviceAddress = ip('10.96.0.10');
const noService: FindBackends = () => undefined;

function scene(backends: FindBackends = noService, options: Partial<JoinOptions> = {}) {
  const covered = new Map([
    ['n1', t0],
    ['n2', t0],
  ]);
  const due: JoinedConnection[] = [];
  const dropped: string[] = [];
  const nodeOf = new Map([
    [web, 'n1'],
    [db, 'n2'],
  ]);
  const join = new Join(
    { answerTimeoutUs: second, maxLagUs: 10 * second, maxWaitUs: 120 * second, maxLive: 1000, ...options },
    {
      interfaceOf: (_, address) => {
        const node = nodeOf.get(address);
        return node === undefined
          ? undefined
          : { node, gapFreeSinceUs: 0, goneUs: 0, seesFromPod: true, seesToPod: true, losses: [] };
      },
      coveredUntilUs: (node) => covered.get(node),
      allCoveredUntilUs: () => Math.min(...covered.values()),
      reportingAgent: (node) => {
        const coveredUntilUs = covered.get(node);
        return coveredUntilUs === undefined ? undefined : { coveredUntilUs, lastLossUs: 0 };
      },
    },
    backends,
    () => true,
    { due: (joined) => due.push({ ...joined }), merged: (id) => dropped.push(id), retired: () => undefined },
  );
  return {
    join,
    due,
    dropped,
    covered,
    nodeOf,
    source: (...records: ConnectionRecord[]) => join.receive({ node: 'n1', clockOffsetUs: 0, records }, t0),
    destination: (...records: ConnectionRecord[]) => join.receive({ node: 'n2', clockOffsetUs: 0, records }, t0),
  };
}

function after(seconds: number): Partial<ConnectionRecord> {
  const atUs = t0 + seconds * second;
  return { beganUs: atUs, firstUs: atUs, lastUs: atUs };
}

t.test('both observations become one connection', async (t) => {
  const { join, due, source, destination } = scene();
  source(answered());
  destination(atDestination(answered()));
  join.tick(t0 + 1);
  t.equal(due.length, 1);
  t.ok(due[0]!.source !== undefined && due[0]!.destination !== undefined);
  t.same(due[0]!.source!.packets, { forward: 2, reverse: 1 }, 'counters of two observation points are not added up');
});

t.test('a connection without an answer is evaluated after both agents have reported that time', async (t) => {
  const { join, due, covered, source } = scene();
  source(record());
  join.tick(t0 + 2 * second);
  t.equal(due.length, 0, 'node n2 has not reported so far');
  covered.set('n1', t0 + 2 * second);
  covered.set('n2', t0 + 2 * second);
  join.tick(t0 + 2 * second);
  t.equal(due.length, 1);
});

t.test('the wait for an agent is limited to the maximum lag', async (t) => {
  const { join, due, source } = scene();
  source(record());
  join.tick(t0 + 10.9 * second);
  t.equal(due.length, 0);
  join.tick(t0 + 11.1 * second);
  t.equal(due.length, 1);
});

t.test('a tick evaluates a limited number of connections, and the next tick the rest', async (t) => {
  const { join, due, source, destination } = scene();
  for (let port = 0; port < 100; port++) {
    source(answered({ initiatorPort: 40_000 + port }));
    if (port % 10 !== 0) destination(atDestination(answered({ initiatorPort: 40_000 + port })));
  }
  t.equal(join.tick(t0 + 1, 40), true, 'more are due');
  t.equal(due.length, 40);
  t.equal(join.tick(t0 + 1, 40), true);
  t.equal(join.tick(t0 + 1, 40), false, 'the rest waits for the other side');
  t.equal(due.length, 90);
  t.equal(new Set(due.map(({ id }) => id)).size, 90, 'each once');
  t.equal(join.tick(t0 + 11.1 * second, 40), false);
  t.equal(due.length, 100);
});

t.test('an agent that does not report is not waited for', async (t) => {
  const { join, due, covered, source } = scene();
  covered.set('n1', t0 + 2 * second);
  covered.delete('n2');
  source(record());
  join.tick(t0 + 1.2 * second);
  t.equal(due.length, 1);
});

t.test('any pod may have sent with an address of nobody: all agents have to report first', async (t) => {
  const { join, due, covered, nodeOf, destination } = scene();
  nodeOf.delete(web);
  covered.set('n3', t0);
  destination(atDestination(answered()));
  covered.set('n2', t0 + second);
  join.tick(t0 + second);
  t.equal(due.length, 0, 'n1 and n3 have not reported so far');
  covered.set('n1', t0 + second);
  join.tick(t0 + second);
  t.equal(due.length, 0);
  covered.set('n3', t0 + second);
  join.tick(t0 + second);
  t.equal(due.length, 1);
});

t.test('the wait for all agents is short: one of many may always lag', async (t) => {
  const { join, due, nodeOf, destination } = scene();
  nodeOf.delete(web);
  destination(atDestination(answered()));
  join.tick(t0 + 1.9 * second);
  t.equal(due.length, 0);
  join.tick(t0 + 2.1 * second);
  t.equal(due.length, 1);
});

t.test('later records add up and cause a re-evaluation', async (t) => {
  const { join, due, source } = scene();
  source(answered());
  source(answered({ firstUs: t0 + second, lastUs: t0 + second, packets: { forward: 5, reverse: 5 } }));
  join.finish();
  t.equal(due.length, 1);
  t.same(due[0]!.source!.packets, { forward: 7, reverse: 6 });
  source(answered({ firstUs: t0 + 2 * second, lastUs: t0 + 2 * second }));
  join.finish();
  t.equal(due.length, 2);
  t.equal(due[0]!.id, due[1]!.id);
});

t.test('a connection that goes on after a reset is live again, in either order of its records', async (t) => {
  const interval = (seconds: number, change: Partial<ConnectionRecord>) => {
    const atUs = t0 + seconds * second;
    return answered({ firstUs: atUs, lastUs: atUs + 1000, ...change });
  };
  const records = [interval(0, {}), interval(1, { ended: true }), interval(3, { ended: false })];
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ]) {
    const { join, due, covered, source, destination } = scene();
    for (const node of ['n1', 'n2']) covered.set(node, t0 + 60 * second);
    for (const i of order) {
      source(records[i]!);
      destination(atDestination(records[i]!));
    }
    join.tick(t0 + 2 * second);
    t.match(due.at(-1), { source: { ended: false }, destination: { ended: false } }, `order ${order}`);
    join.tick(t0 + 60 * second);
    t.equal(join.counts.live, 1);
    source(interval(70, { ended: true }));
    destination(atDestination(interval(70, { ended: true })));
    join.tick(t0 + 80 * second);
    t.match(due.at(-1), { source: { ended: true, packets: { forward: 8 } } });
  }
});

t.test('a new SYN on the same ports is a new connection', async (t) => {
  const { join, due, source } = scene();
  source(reset());
  source(reset({ beganUs: t0 + second, firstUs: t0 + second, lastUs: t0 + second }));
  join.finish();
  t.equal(new Set(due.map((one) => one.id)).size, 2);
});

t.test("the source's conntrack names the backend behind a Service address", async (t) => {
  const { join, due, source, destination } = scene();
  const original = { initiator: web, initiatorPort: 40000, responder: serviceAddress, responderPort: 80 };
  const translated = { initiator: web, initiatorPort: 40000, responder: db, responderPort: 5432 };
  source(answered({ ...original, translation: { original, translated } }));
  destination(atDestination(answered()));
  join.finish();
  t.equal(due.length, 1);
  t.equal(due[0]!.originalTuple.responder, serviceAddress);
  t.equal(due[0]!.translatedTuple.responder, db);
});

t.test('without conntrack, the only ready endpoint that was reached at that time is the backend', async (t) => {
  for (const order of ['source first', 'destination first']) {
    const { join, due, source, destination } = scene((_, address) =>
      address === serviceAddress
        ? [
            { address: db, port: 5432 },
            { address: ip('10.0.2.4'), port: 5432 },
          ]
        : undefined,
    );
    const asked = answered({ responder: serviceAddress, responderPort: 80 });
    if (order === 'source first') source(asked);
    destination(atDestination(answered()));
    if (order === 'destination first') source(asked);
    join.finish();
    t.equal(due.length, 1, order);
    t.equal(due[0]!.translatedTuple.responder, db, order);
  }
});

t.test(
  'a capture file with a connection before and after translation has one connection, in either order',
  async (t) => {
    const asked = answered({ point: 'host', interfaceIndex: 3, responder: serviceAddress, responderPort: 80 });
    const reached = answered({ point: 'host', interfaceIndex: 4 });
    for (const records of [
      [asked, reached],
      [reached, asked],
    ]) {
      const { join, due } = scene((_, address) =>
        address === serviceAddress ? [{ address: db, port: 5432 }] : undefined,
      );
      join.receive({ node: '', clockOffsetUs: 0, records }, t0);
      join.finish();
      t.match(due, [
        { originalTuple: { responder: serviceAddress, responderPort: 80 }, translatedTuple: { responder: db } },
      ]);
      t.equal(due.length, 1);
      t.same(due[0]!.host!.packets, { forward: 2, reverse: 1 }, 'its packets are counted at one interface');
    }
  },
);

t.test('without conntrack two candidates stay two connections', async (t) => {
  const other = ip('10.0.2.4');
  const { join, due, source, destination } = scene((_, address) =>
    address === serviceAddress
      ? [
          { address: db, port: 5432 },
          { address: other, port: 5432 },
        ]
      : undefined,
  );
  destination(atDestination(answered()), { ...atDestination(answered({ responder: other })), interfaceIndex: 10 });
  source(answered({ responder: serviceAddress, responderPort: 80 }));
  join.finish();
  t.equal(due.length, 3);
});

t.test('with masquerade both translated ends are known to the source', async (t) => {
  const { join, due, dropped, source, destination } = scene();
  const node = ip('192.0.2.1');
  destination({ ...atDestination(answered()), initiator: node, initiatorPort: 61000 });
  join.finish();
  t.equal(due.length, 1, 'evaluated alone at first');
  const original = { initiator: web, initiatorPort: 40000, responder: serviceAddress, responderPort: 80 };
  const translated = { initiator: node, initiatorPort: 61000, responder: db, responderPort: 5432 };
  source(answered({ ...original, translation: { original, translated } }));
  join.finish();
  const last = due.at(-1)!;
  t.equal(last.originalTuple.initiator, web);
  t.equal(last.translatedTuple.initiator, node);
  t.ok(last.destination !== undefined && last.source !== undefined);
  t.equal(new Set(due.map((one) => one.id)).size - dropped.length, 1, 'one connection is left');
});

t.test('clocks of two nodes may differ by less than the tolerance', async (t) => {
  const { join, due, source, destination } = scene();
  source(answered());
  destination(atDestination(answered({ beganUs: t0 - 300_000, firstUs: t0 - 300_000, lastUs: t0 - 200_000 })));
  join.finish();
  t.equal(due.length, 1);
});

t.test(
  'a late translation merges two connections: of a pod to itself, and through a masquerading Service',
  async (t) => {
    const node = ip('172.20.0.11');
    const later = { firstUs: t0 + 0.2 * second, lastUs: t0 + 0.2 * second };
    const original = { initiator: web, initiatorPort: 40000, responder: serviceAddress, responderPort: 80 };
    const translated = { initiator: node, initiatorPort: 61000, responder: web, responderPort: 8080 };
    const translation = { original, translated };
    const out = answered({ ...original });
    const back = { ...answered({ ...translated, ...after(0.001) }), point: 'destination' as const };
    const outLater = answered({ ...original, ...later, translation });
    const backLater = { ...back, ...later, translation };
    for (const order of [
      [out, back, outLater, backLater],
      [out, back, backLater, outLater],
      [back, out, backLater, outLater],
      [out, backLater, outLater],
      [backLater, out],
    ]) {
      const { join, due, dropped, source } = scene();
      for (const observed of order) {
        source(observed);
        join.finish();
      }
      const left = [...new Map(due.map((one) => [one.id, one])).values()].filter(({ id }) => !dropped.includes(id));
      t.equal(left.length, 1);
      const [one] = left;
      t.same([one!.originalTuple.responder, one!.translatedTuple.initiator], [serviceAddress, node]);
      t.ok(one!.source !== undefined && one!.destination !== undefined);
      t.equal(one!.startUs, t0);
    }
  },
);

t.test('a side that saw only answers is reversed by a side that saw the first packet, in either order', async (t) => {
  const ends = { protocol: UDP, initiatorBy: 'inferred' as const, tcpFlags: { forward: 0, reverse: 0 } };
  const whole = record({ ...ends, packets: { forward: 1, reverse: 1 }, answered: true });
  const answerOnly = reversed(atDestination(record({ ...ends, packets: { forward: 0, reverse: 1 } })));
  t.same([answerOnly.initiator, answerOnly.packets], [db, { forward: 1, reverse: 0 }]);
  const question = record({ ...ends, packets: { forward: 1, reverse: 0 } });
  const answer = record({ ...ends, packets: { forward: 0, reverse: 1 }, answered: true });
  type Order = ['source' | 'destination', ConnectionRecord][];
  const orders: Order[] = [
    [
      ['destination', answerOnly],
      ['source', whole],
    ],
    [
      ['source', whole],
      ['destination', answerOnly],
    ],
    [
      ['destination', answerOnly],
      ['source', question],
      ['source', answer],
    ],
    [
      ['source', question],
      ['destination', answerOnly],
      ['source', answer],
    ],
  ];
  for (const order of orders) {
    const { join, due, ...sides } = scene();
    for (const [side, observed] of order) sides[side](observed);
    join.finish();
    const [one] = due;
    t.equal(due.length, 1);
    t.same([one!.translatedTuple.initiator, one!.source?.node, one!.destination?.node], [web, 'n1', 'n2']);
    t.same(
      [one!.source?.packets, one!.destination?.packets],
      [
        { forward: 1, reverse: 1 },
        { forward: 0, reverse: 1 },
      ],
    );
    t.equal(outcomeOf(one!), 'established');
  }
});

t.test('a side that inferred the wrong initiator is reversed by a side that saw the handshake', async (t) => {
  const { join, due, source, destination } = scene();
  const turned = {
    initiator: db,
    initiatorPort: 5432,
    responder: web,
    responderPort: 40000,
    initiatorBy: 'inferred' as const,
    packets: { forward: 1, reverse: 2 },
  };
  destination({ ...answered(turned), point: 'source', interfaceIndex: 9 });
  source(answered());
  join.finish();
  t.equal(due.length, 1);
  t.equal(due[0]!.originalTuple.initiator, web);
  t.same(due[0]!.destination!.packets, { forward: 2, reverse: 1 });
});

t.test('the outcome is that of the side that saw more', async (t) => {
  const { join, due, source, destination } = scene();
  source(record());
  destination(atDestination(answered()));
  join.finish();
  t.equal(outcomeOf(due[0]!), 'established');
});

t.test('the number of live connections is limited, and an evicted one is evaluated and counted', async (t) => {
  const { join, due, source } = scene();
  for (let port = 1; port <= 1100; port++) source(answered({ initiatorPort: port }));
  t.equal(join.counts.live, 1000);
  t.equal(join.counts.evicted, 100);
  t.equal(due.length, 100);
});

t.test('a late translation joins the earlier and the later records of both sides', async (t) => {
  const { join, due, dropped, covered, source, destination } = scene();
  const node = ip('192.0.2.1');
  const asked = { initiator: web, initiatorPort: 40000, responder: serviceAddress, responderPort: 80 };
  const reached = { initiator: node, initiatorPort: 61000, responder: db, responderPort: 5432 };
  const atDb = atDestination(answered({ ...reached }));
  destination(atDb);
  source(answered({ ...asked }));
  for (const node of covered.keys()) covered.set(node, t0 + second);
  join.tick(t0 + second);
  t.equal(due.length, 2, 'not joined yet');
  const zero = { forward: 0, reverse: 0 };
  source(record({ ...asked, packets: zero, bytes: zero, translation: { original: asked, translated: reached } }));
  destination({ ...atDb, firstUs: t0 + second, lastUs: t0 + second, ended: true });
  join.tick(t0 + 2 * second);
  t.same(dropped, [due[0]!.id]);
  t.equal(due.length, 3);
  t.match(due[2], {
    id: due[1]!.id,
    originalTuple: asked,
    translatedTuple: reached,
    destination: { ended: true, packets: { forward: 4, reverse: 2 } },
  });
  t.same(due[2]!.source!.packets, { forward: 2, reverse: 1 });
});

t.test('a translation alone is no connection, until packets come', async (t) => {
  const { join, due, source } = scene();
  const zero = { forward: 0, reverse: 0 };
  const asked = { initiator: web, initiatorPort: 40000, responder: serviceAddress, responderPort: 80 };
  const translation = { original: asked, translated: { ...asked, responder: db, responderPort: 5432 } };
  source(record({ ...asked, packets: zero, bytes: zero, tcpFlags: zero, frames: 0, translation }));
  join.tick(t0 + 20 * second);
  join.finish();
  t.equal(due.length, 0);
  t.equal(join.counts.pending, 0);
  source(answered({ ...asked }));
  join.finish();
  t.equal(due.length, 1);
  t.match(due[0], { originalTuple: asked, translatedTuple: { responder: db }, source: { packets: { forward: 2 } } });
});

t.test('a translation that comes after the connection was forgotten is forgotten too', async (t) => {
  const { join, due, source, destination } = scene();
  const zero = { forward: 0, reverse: 0 };
  const asked = { initiator: web, initiatorPort: 40000, responder: serviceAddress, responderPort: 80 };
  const reached = { ...asked, responder: db, responderPort: 5432 };
  const translation = { original: asked, translated: reached };
  source(answered({ ...asked, translation, ended: true }));
  destination(atDestination(answered({ ...reached, ended: true })));
  join.tick(t0 + second);
  join.tick(t0 + 7 * second);
  t.equal(join.counts.live, 0);
  source(answered({ ...asked, packets: zero, bytes: zero, tcpFlags: zero, frames: 0, translation, ended: true }));
  join.tick(t0 + 30 * second);
  t.equal(due.length, 1, 'it is not a second connection');
  join.tick(t0 + 600 * second);
  t.equal(join.counts.live, 0);
});

t.test('a pod that gets the address of another in mid-flow begins a new connection', async (t) => {
  const { join, due, source, destination } = scene();
  const at = (s: number) => t0 + s * second;
  const udp = { protocol: UDP, tcpFlags: { forward: 0, reverse: 0 }, packets: { forward: 2, reverse: 2 } };
  const interval = (beganUs: number, fromUs: number, toUs: number, change: Partial<ConnectionRecord> = {}) =>
    record({ ...udp, beganUs, firstUs: fromUs, lastUs: toUs, ...change });
  source(interval(at(0), at(0), at(0.01)));
  destination(atDestination(interval(at(0), at(0), at(0.01))));
  destination(atDestination(interval(at(0), at(0.05), at(0.1), { ended: true })));
  // The first packet at the new interface was an answer, so the wrong initiator was inferred.
  const turned = reversed(atDestination(interval(at(0.2), at(0.2), at(0.2), { initiatorBy: 'inferred' })));
  destination({ ...turned, interfaceIndex: 10 });
  source(interval(at(0), at(0.05), at(1)));
  source(interval(at(0), at(1.05), at(2)));
  source(interval(at(0), at(2.05), at(2.1)));
  join.finish();
  const [first, second_] = due.slice(-2);
  t.match(first, { startUs: at(0), lastUs: at(1), destination: { interfaceIndex: 9 } });
  t.same(first!.source!.packets, { forward: 4, reverse: 4 });
  t.match(second_, {
    originalTuple: { initiator: web },
    startUs: at(0.2),
    lastUs: at(2.1),
    destination: { interfaceIndex: 10 },
    source: { packets: { forward: 4, reverse: 4 } },
  });
});

t.test(
  'what is left of a side after its first connection is mid-stream: the handshake was that of the other',
  async (t) => {
    const { join, due, source, destination } = scene();
    const at = (s: number) => t0 + s * second;
    const times = (fromS: number, toS: number) => ({ firstUs: at(fromS), lastUs: at(toS) });
    const later = { packets: { forward: 3, reverse: 3 }, tcpFlags: { forward: ACK, reverse: ACK } };
    source(answered({ ...times(0, 0.1) }));
    destination(atDestination(answered({ ...times(0, 0.1) })));
    destination(atDestination(record({ ...later, ...times(0.2, 0.3), ended: true })));
    const replaced = record({ ...later, beganUs: at(0.5), ...times(0.5, 0.6), initiatorBy: 'inferred' });
    destination({ ...atDestination(replaced), interfaceIndex: 10 });
    source(record({ ...later, ...times(0.2, 0.3) }));
    source(record({ ...later, ...times(0.6, 0.9) }));
    join.tick(at(2));
    join.finish();
    const rest = due.at(-1)!;
    t.match(rest, { startUs: at(0.5), destination: { interfaceIndex: 10 }, source: { midStream: true } });
    t.equal(outcomeOf({ ...rest, destination: undefined }), 'established');
    t.match(due.at(-2), { source: { midStream: false }, destination: { interfaceIndex: 9, midStream: false } });
  },
);

t.test('of a file, all connections that ended are forgotten after the next records, however many', async (t) => {
  const { join, source } = scene(noService, { keepsIdle: true, maxLagUs: 0, maxWaitUs: 0, maxLive: 100_000 });
  const many = Array.from({ length: 9000 }, (_, i) => ({ ...answered(), initiatorPort: 1 + i, ended: i > 0 }));
  source(...many);
  join.tick(t0);
  t.equal(join.counts.live, 9000, 'the other interface may report its end with the next records');
  join.tick(t0 + 1);
  t.equal(join.counts.live, 1, 'the one that goes on');
});
