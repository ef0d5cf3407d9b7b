// Which connection a SYN on known ports belongs to: both ends may send one (RFC 9293 3.5), and a sender may lie.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { TCP } from '../../../../model/protocol.ts';
import { ACK, type ConnectionRecord, SYN } from '../../../../model/record.ts';
import { Flows } from '../../../scene/flows.ts';
import { matchEach } from '../../../scene/match-each.ts';
import { ip4, tcp, udp } from '../../../scene/packets.ts';
import { db, second, t0, web } from '../../../scene/records.ts';

type Numbers = { sequence?: number; acknowledged?: number };
const fromWeb = (flags: string, numbers: Numbers = {}) => tcp(40000, 5432, flags, numbers);
const fromDb = (flags: string, numbers: Numbers = {}) => tcp(5432, 40000, flags, numbers);
const [webIsn, dbIsn] = [1000, 7000];
const webData = { sequence: webIsn + 1, acknowledged: dbIsn + 1 };
const dbData = { sequence: dbIsn + 1, acknowledged: webIsn + 1 };
const webInitiates = { initiator: web, initiatorPort: 40000, initiatorBy: 'handshake', isn: webIsn, beganUs: t0 };

/** An established connection of web, with its records drained. */
function established(): Flows {
  const flows = new Flows({ reportEveryUs: 1 });
  flows.out(0, fromWeb('S', { sequence: webIsn }));
  flows.back(0.1, fromDb('SA', { sequence: dbIsn, acknowledged: webIsn + 1 }));
  flows.out(0.2, fromWeb('A', webData));
  flows.back(0.3, fromDb('PA', dbData));
  flows.drain(1);
  return flows;
}

/** The records without those of SYNs that began nothing. */
function withData(records: readonly ConnectionRecord[]): ConnectionRecord[] {
  return records.filter(({ tcpFlags }) => (tcpFlags.forward | tcpFlags.reverse) & ACK);
}

t.test('a split handshake is one connection of the end whose SYN came first', async (t) => {
  for (const drains of [[], [0.05], [0.15], [0.25], [0.05, 0.15, 0.25]]) {
    const flows = new Flows({ reportEveryUs: 1 });
    const records: ConnectionRecord[] = [];
    const steps: [number, () => void][] = [
      [0, () => flows.out(0, fromWeb('S', { sequence: webIsn }))],
      [0.1, () => flows.back(0.1, fromDb('S', { sequence: dbIsn }))],
      [0.2, () => flows.out(0.2, fromWeb('SA', { sequence: webIsn, acknowledged: dbIsn + 1 }))],
      [0.3, () => flows.back(0.3, fromDb('A', dbData))],
      ...drains.map((s): [number, () => void] => [s, () => records.push(...flows.drain(s))]),
    ];
    for (const [, step] of steps.sort(([a], [b]) => a - b)) step();
    records.push(...flows.drain(1));
    t.same(new Set(records.map((one) => one.beganUs)), new Set([t0]), `drained at ${drains}`);
    for (const one of records) t.match(one, { ...webInitiates, point: 'source', ended: false });
    t.match(records.at(-1), { bothSentSyn: true, answered: true });
  }
});

t.test('the responder may acknowledge the SYN before it sends its own', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S', { sequence: webIsn }));
  flows.back(0.1, fromDb('A', { sequence: dbIsn, acknowledged: webIsn + 1 }));
  flows.back(0.2, fromDb('S', { sequence: dbIsn }));
  flows.out(0.3, fromWeb('SA', { sequence: webIsn, acknowledged: dbIsn + 1 }));
  matchEach(t, flows.drain(1), [{ ...webInitiates, bothSentSyn: true, packets: { forward: 2, reverse: 2 } }]);
});

t.test('a simultaneous open is one connection, at each end of the SYN that was first there', async (t) => {
  const atWeb = new Flows();
  atWeb.out(0, fromWeb('S', { sequence: webIsn }));
  atWeb.back(0.1, fromDb('S', { sequence: dbIsn }));
  atWeb.out(0.2, fromWeb('SA', { sequence: webIsn, acknowledged: dbIsn + 1 }));
  atWeb.back(0.3, fromDb('SA', { sequence: dbIsn, acknowledged: webIsn + 1 }));
  matchEach(t, atWeb.drain(1), [
    { ...webInitiates, bothSentSyn: true, synRetries: 0, packets: { forward: 2, reverse: 2 } },
  ]);
  const atDb = new Flows();
  atDb.back(0, fromDb('S', { sequence: dbIsn }));
  atDb.out(0.1, fromWeb('S', { sequence: webIsn }));
  atDb.back(0.2, fromDb('SA', { sequence: dbIsn, acknowledged: webIsn + 1 }));
  atDb.out(0.3, fromWeb('SA', { sequence: webIsn, acknowledged: dbIsn + 1 }));
  matchEach(t, atDb.drain(1), [{ initiator: db, isn: dbIsn, bothSentSyn: true, packets: { forward: 2, reverse: 2 } }]);
});

t.test(
  'who sent a packet without flags before a SYN-ACK asked for it, and does not refuse it by a reset',
  async (t) => {
    const tiny = { protocol: TCP, bytes: fromWeb('S', { sequence: webIsn }).bytes.subarray(0, 8) };
    for (const drainedAt of [undefined, 0.05]) {
      const flows = new Flows({ reportEveryUs: 1 });
      flows.see(0, ip4(web, db, tiny, { id: 5, more: true }), 'from-pod');
      if (drainedAt !== undefined) flows.drain(drainedAt);
      flows.back(0.1, fromDb('SA', { sequence: dbIsn, acknowledged: webIsn + 1 }));
      flows.out(0.2, fromWeb('R', { sequence: webIsn + 1 }));
      t.match(flows.drain(1).at(-1), { initiator: web, initiatorPort: 40000 }, `drained at ${drainedAt}`);
    }
  },
);

t.test('a SYN of the responder alone is no answer, because it acknowledges nothing', async (t) => {
  const flows = new Flows();
  flows.out(0, fromWeb('S', { sequence: webIsn }));
  flows.back(0.1, fromDb('S', { sequence: dbIsn }));
  matchEach(t, flows.drain(1), [{ ...webInitiates, bothSentSyn: true, answered: false, tcpFlags: { reverse: SYN } }]);
});

t.test('a SYN of the responder on a live connection changes nothing, whatever its number', async (t) => {
  for (const sequence of [dbIsn, webIsn, 5, 0]) {
    const flows = established();
    flows.back(2, fromDb('S', { sequence }));
    flows.out(2.1, fromWeb('A', webData));
    matchEach(t, flows.drain(3), [{ ...webInitiates, ended: false, bothSentSyn: false }], `number ${sequence}`);
    flows.back(4, fromDb('PA', dbData));
    matchEach(t, flows.drain(5), [{ ...webInitiates, ended: false }], `number ${sequence}`);
  }
});

t.test('a SYN that the other end does not accept splits nothing', async (t) => {
  for (const drainedUntil of [2.05, 2.5]) {
    const flows = established();
    flows.out(2, fromWeb('S', { sequence: 9000 }));
    const records = drainedUntil < 2.1 ? flows.drain(drainedUntil) : [];
    flows.back(2.1, fromDb('A', dbData));
    flows.out(2.2, fromWeb('PA', webData));
    records.push(...flows.drain(3));
    const last = records.at(-1)!;
    t.match(last, { ...webInitiates, ended: false, answered: true });
    t.equal(withData(records).filter((one) => one.beganUs !== t0).length, 0, 'no other connection has data');
  }
});

t.test('a reset that the other end ignores, and a SYN after it, do not turn the connection around', async (t) => {
  for (const isDrained of [true, false]) {
    const flows = established();
    flows.back(2, fromDb('R', { sequence: 99 }));
    flows.back(2.1, fromDb('S', { sequence: 99 }));
    const records = isDrained ? flows.drain(2.2) : [];
    flows.out(2.3, fromWeb('A', webData));
    flows.back(2.4, fromDb('PA', dbData));
    records.push(...flows.drain(2.5));
    flows.out(8, fromWeb('PA', webData));
    records.push(...flows.drain(9));
    t.match(records.at(-1), { ...webInitiates, ended: false });
    for (const one of withData(records)) t.match(one, { beganUs: t0, initiator: web });
  }
});

/** How an attacker seems to end the connection. With a FIN of each end, one of them is real: its sender only listens. */
const forgedEnds: Record<string, (flows: Flows) => void> = {
  'a reset': (flows) => flows.back(2, fromDb('R', { sequence: 99 })),
  'a reset of the pod': (flows) => flows.out(2, fromWeb('R', { sequence: 99 })),
  'a FIN beside a real one': (flows) => {
    flows.out(1.9, fromWeb('FA', webData));
    flows.back(2, fromDb('FA', { sequence: 99, acknowledged: 98 }));
  },
};

t.test('an end that the other end ignores, and silence, make no other connection', async (t) => {
  for (const [how, end] of Object.entries(forgedEnds)) {
    for (const pauseS of [1, 10, 200]) {
      const flows = established();
      end(flows);
      for (let s = 3; s < 2 + pauseS; s++) flows.drain(s);
      flows.back(2 + pauseS, fromDb('PA', dbData));
      flows.out(2.1 + pauseS, fromWeb('A', webData));
      const [record, ...others] = flows.drain(3 + pauseS);
      t.match(record, { ...webInitiates, rttUs: 100_000 }, `${how}, ${pauseS} s`);
      t.same(others, []);
      if (pauseS > 2) t.equal(record!.ended, false);
      flows.back(10 + pauseS, fromDb('PA', dbData));
      matchEach(t, flows.drain(11 + pauseS), [webInitiates]);
    }
  }
});

t.test('a SYN or SYN-ACK after such an end does not turn the connection around', async (t) => {
  for (const [how, end] of Object.entries(forgedEnds)) {
    for (const pauseS of [1, 10]) {
      for (const [from, flags] of [
        ['db', 'S'],
        ['web', 'S'],
        ['web', 'SA'],
        ['db', 'SA'],
      ] as const) {
        const flows = established();
        end(flows);
        const records: ConnectionRecord[] = [];
        for (let s = 3; s < 2 + pauseS; s++) records.push(...flows.drain(s));
        const numbers = { sequence: 99, acknowledged: 55 };
        if (from === 'db') flows.back(2 + pauseS, fromDb(flags, numbers));
        else flows.out(2 + pauseS, fromWeb(flags, numbers));
        // The end that still has the connection answers with an acknowledgement (RFC 9293 3.10.7.4).
        if (from === 'db') flows.out(2.1 + pauseS, fromWeb('A', webData));
        else flows.back(2.1 + pauseS, fromDb('A', dbData));
        flows.back(2.2 + pauseS, fromDb('PA', dbData));
        flows.out(2.3 + pauseS, fromWeb('PA', webData));
        records.push(...flows.drain(3 + pauseS));
        for (const one of withData(records)) t.match(one, webInitiates, `${how}, ${pauseS} s, ${flags} of ${from}`);
      }
    }
  }
});

t.test('after its end, a SYN of either end begins a connection, also with the number of before', async (t) => {
  const ends: Record<string, (flows: Flows) => number> = {
    'FIN of both ends': (flows) => {
      flows.out(1.1, fromWeb('FA', webData));
      flows.back(1.2, fromDb('FA', dbData));
      return 1.3;
    },
    'a reset': (flows) => {
      flows.back(1.2, fromDb('RA', dbData));
      return 1.3;
    },
    'idle time': () => 400,
  };
  for (const [how, end] of Object.entries(ends)) {
    for (const sequence of [webIsn, dbIsn, 9000]) {
      const own = established();
      const s = end(own);
      own.out(s, fromWeb('S', { sequence }));
      const beganUs = t0 + Math.round(s * second);
      t.match(own.drain(s + 0.1).at(-1), { initiator: web, isn: sequence, beganUs, ended: false }, how);
      own.back(s + 0.2, fromDb('SA', { sequence: 3, acknowledged: sequence + 1 }));
      own.out(s + 0.3, fromWeb('A', { acknowledged: 4 }));
      matchEach(t, own.drain(s + 0.4), [{ initiator: web, isn: sequence, beganUs, answered: true }], how);
      const others = established();
      end(others);
      others.back(s, fromDb('S', { sequence }));
      t.match(
        others.drain(s + 0.1).at(-1),
        { initiator: db, isn: sequence, beganUs, ended: false, synRetries: 0 },
        how,
      );
    }
  }
});

t.test('a refused SYN is followed by new connections, also with the same number', async (t) => {
  const flows = new Flows();
  for (const s of [0, 1, 2]) {
    flows.out(s, fromWeb('S', { sequence: webIsn }));
    flows.back(s + 0.1, fromDb('RA', { acknowledged: webIsn + 1 }));
  }
  t.same(
    flows.drain(3).map(({ beganUs, ended, synRetries }) => [beganUs, ended, synRetries]),
    [0, 1, 2].map((s) => [t0 + s * second, true, 0]),
  );
});

t.test(
  'the number of before begins a connection if its sender had acknowledged, and the answer is a SYN-ACK',
  async (t) => {
    const reopened = established();
    reopened.back(2, fromDb('FA', dbData));
    reopened.out(62, fromWeb('S', { sequence: webIsn }));
    reopened.back(62.1, fromDb('SA', { sequence: 8000, acknowledged: webIsn + 1 }));
    matchEach(t, reopened.drain(63), [
      { ...webInitiates, ended: true },
      { initiator: web, isn: webIsn, beganUs: t0 + 62 * second, ended: false, answered: true },
    ]);
  },
);

t.test(
  'the initiator accepts a SYN of the responder with another number: that is a connection of its own',
  async (t) => {
    for (const isDrained of [true, false]) {
      const flows = established();
      flows.back(2, fromDb('S', { sequence: 8000 }));
      const records = isDrained ? flows.drain(2.05) : [];
      flows.out(2.1, fromWeb('SA', { sequence: 500, acknowledged: 8001 }));
      flows.back(2.2, fromDb('A', { sequence: 8001, acknowledged: 501 }));
      records.push(...flows.drain(3));
      t.match(
        records.filter((one) => one.beganUs === t0).map((one) => one.ended),
        isDrained ? [false, true] : [true],
      );
      t.match(records.at(-1), {
        initiator: db,
        initiatorPort: 5432,
        isn: 8000,
        beganUs: t0 + 2 * second,
        answered: true,
      });
    }
  },
);

t.test('a late packet of the connection before does not merge the next one into it', async (t) => {
  const flows = established();
  flows.out(2, fromWeb('S', { sequence: 9000 }));
  flows.back(2.1, fromDb('A', dbData));
  flows.back(2.2, fromDb('SA', { sequence: 8000, acknowledged: 9001 }));
  flows.out(2.3, fromWeb('A', { sequence: 9001, acknowledged: 8001 }));
  const records = flows.drain(3);
  t.match(records.at(-1), { initiator: web, isn: 9000, beganUs: t0 + 2 * second, ended: false, answered: true });
  t.match(records.at(-2), { ...webInitiates, ended: true });
});

t.test('mid-stream, a SYN that is not accepted does not decide who the initiator is', async (t) => {
  const flows = new Flows({ reportEveryUs: 1 });
  flows.out(0, fromWeb('A', webData));
  flows.back(0.1, fromDb('A', dbData));
  flows.drain(1);
  flows.back(2, fromDb('S', { sequence: 99 }));
  flows.out(2.1, fromWeb('A', webData));
  flows.back(2.2, fromDb('PA', dbData));
  t.match(flows.drain(3).at(-1), {
    initiator: web,
    initiatorBy: 'inferred',
    beganUs: t0,
    isn: undefined,
    ended: false,
  });
});

t.test('a packet that leaves by the interface that it should enter by is in no connection of the pod', async (t) => {
  const flows = new Flows();
  flows.see(0, ip4(db, web, fromDb('S', { sequence: 1 })), 'from-pod');
  flows.out(0.1, fromWeb('S', { sequence: webIsn }));
  flows.back(0.2, fromDb('SA', { sequence: dbIsn, acknowledged: webIsn + 1 }));
  flows.see(0.3, ip4(db, web, udp(53, 40000)), 'from-pod');
  flows.out(0.4, udp(40000, 53));
  matchEach(t, flows.drain(1), [
    { initiator: db, point: 'source', packets: { forward: 1, reverse: 0 }, answered: false },
    { initiator: web, point: 'source', packets: { forward: 1, reverse: 1 }, bothSentSyn: false, answered: true },
    { point: 'destination', initiatorPort: 40000, packets: { forward: 0, reverse: 1 } },
    { point: 'source', initiatorPort: 40000, packets: { forward: 1, reverse: 0 } },
  ]);
});

t.test('whatever SYNs and resets the responder sends, the data of a connection stays in it', async () => {
  const lie = fc.record({
    flags: fc.constantFrom('S', 'S', 'R', 'RA', 'FA', 'SA'),
    sequence: fc.constantFrom(0, 5, webIsn, dbIsn, dbIsn + 1),
    acknowledged: fc.constantFrom(0, webIsn, webIsn + 1, 77),
    answered: fc.boolean(),
    drained: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(lie, { maxLength: 12 }), (lies) => {
      const flows = established();
      const records: ConnectionRecord[] = [];
      let s = 2;
      for (const { flags, answered, drained, ...numbers } of lies) {
        s += 0.01;
        flows.back(s, fromDb(flags, numbers));
        if (drained) records.push(...flows.drain(s));
        if (answered) flows.out(s + 0.001, fromWeb('A', webData));
      }
      flows.out(s + 0.1, fromWeb('PA', webData));
      records.push(...flows.drain(s + 0.2));
      const ofData = records.filter(({ initiator, tcpFlags: { forward, reverse } }) =>
        initiator === web ? forward !== 0 : reverse !== 0,
      );
      for (const one of ofData) assert.deepEqual([one.initiator, one.beganUs, one.isn], [web, t0, webIsn]);
    }),
    { numRuns: 3000 },
  );
});
