// What is in no record: gaps begin, last and end; sums are bounded; packets that cannot be read are no gap.
import t from 'tap';
import type { LossReason } from '../../../accounting/reasons.ts';
import { UnrecordedTraffic } from '../../../agent/capture/unrecorded.ts';
import type { Unrecorded } from '../../../model/unrecorded.ts';

const second = 1_000_000;
const syn: Unrecorded = { direction: 'from-pod', protocol: 6, port: 443, zone: 'public' };
const names = (index: number) => ({ name: `veth${index}`, podUid: `uid-${index}` });

function scene() {
  const traffic = new UnrecordedTraffic();
  return {
    traffic,
    lose(atUs: number, index: number, change: Partial<Unrecorded> = {}, reason: LossReason = 'table-full') {
      traffic.add(index, reason, { ...syn, ...change }, { packets: 1, bytes: 60, firstUs: atUs, lastUs: atUs });
    },
  };
}

t.test('a gap has the sums of every interface, ends after 10 s without a loss, and another one begins', async (t) => {
  const { traffic, lose } = scene();
  lose(second, 7);
  lose(2 * second, 7);
  lose(3 * second, 9, { direction: 'to-pod', port: 80, zone: 'private' });
  t.ok(traffic.hasGap);
  traffic.refresh(3 * second, names);
  const sum = { reason: 'table-full', protocol: 6, bytes: 60 };
  const first = {
    ...{ fromUs: second, untilUs: 3 * second, ended: false },
    interfaces: [
      {
        ...{ index: 7, name: 'veth7', podUid: 'uid-7', connections: 0, unanswered: 0 },
        unrecorded: [
          { ...sum, direction: 1, port: 443, zone: 2, packets: 2, bytes: 120, firstUs: second, lastUs: 2 * second },
        ],
      },
      {
        ...{ index: 9, name: 'veth9', podUid: 'uid-9', connections: 0, unanswered: 0 },
        unrecorded: [{ ...sum, direction: 2, port: 80, zone: 1, packets: 1, firstUs: 3 * second, lastUs: 3 * second }],
      },
    ],
  };
  t.same(traffic.wire().gaps, [first]);
  traffic.refresh(13 * second, names);
  t.same(traffic.wire().gaps, [first], 'it lasts');
  traffic.refresh(13.1 * second, () => undefined);
  t.same(traffic.wire().gaps, [{ ...first, ended: true }], 'it ended, and a pod that is gone keeps its name');
  t.notOk(traffic.hasGap);
  lose(20 * second, 7);
  traffic.refresh(20 * second, names);
  t.match(traffic.wire().gaps, [{ ended: true }, { fromUs: 20 * second, ended: false }]);
});

t.test('the gap has the most connections that each interface had in the table', async (t) => {
  const { traffic, lose } = scene();
  traffic.observeTable([{ interfaceIndex: 7, rows: 99, unanswered: 99 }]);
  lose(second, 7);
  traffic.observeTable([
    { interfaceIndex: 7, rows: 20, unanswered: 3 },
    { interfaceIndex: 8, rows: 0, unanswered: 0 },
  ]);
  traffic.observeTable([{ interfaceIndex: 7, rows: 10, unanswered: 9 }]);
  traffic.refresh(second, names);
  t.match(traffic.wire().gaps, [{ interfaces: [{ index: 7, connections: 20, unanswered: 9 }] }]);
  t.equal(traffic.wire().gaps[0]!.interfaces.length, 1);
});

t.test('many ports and protocols are added up without them, and no packet is missing', async (t) => {
  const { traffic, lose } = scene();
  for (let port = 1; port <= 5_000; port++) lose(second, 7, { port });
  for (let protocol = 1; protocol < 256; protocol++) lose(second, 7, { protocol, port: 0 });
  traffic.refresh(second, names);
  const { unrecorded } = traffic.wire().gaps[0]!.interfaces[0]!;
  t.ok(unrecorded.length < 80, `${unrecorded.length} sums`);
  t.equal(
    unrecorded.reduce((sum, { packets }) => sum + packets, 0),
    5_000 + 255,
  );
  t.match(unrecorded.at(-1), { protocol: 0, port: 0 });
});

t.test('packets that cannot be read are no gap, and are reported by interface for a minute', async (t) => {
  const { traffic, lose } = scene();
  lose(second, 7, { direction: 'to-pod', port: 0, zone: 'unknown' }, 'corrupt');
  t.notOk(traffic.hasGap);
  traffic.refresh(second, names);
  t.match(traffic.wire(), {
    gaps: [],
    unreadable: [{ index: 7, unrecorded: [{ reason: 'corrupt', direction: 2, packets: 1 }] }],
  });
  traffic.refresh(62 * second, names);
  t.same(traffic.wire().unreadable, []);
});

t.test('a new sum is reported at once, growth once a second, and nothing if nothing changed', async (t) => {
  const { traffic, lose } = scene();
  const isSame = (nowUs: number) => {
    const before = traffic.wire();
    traffic.refresh(nowUs, names);
    return traffic.wire() === before;
  };
  lose(second, 7);
  t.notOk(isSame(second), 'new');
  lose(1.2 * second, 7);
  t.ok(isSame(1.2 * second), 'grown');
  lose(1.4 * second, 7, { port: 80 });
  t.notOk(isSame(1.4 * second), 'another port');
  lose(1.6 * second, 7);
  t.ok(isSame(1.6 * second));
  t.notOk(isSame(2.4 * second), 'a second later');
  t.ok(isSame(4 * second), 'unchanged');
});

t.test('the latest gaps are kept, however often one begins', async (t) => {
  const { traffic, lose } = scene();
  for (let i = 0; i < 50; i++) {
    lose(i * 20 * second, 7);
    traffic.refresh(i * 20 * second + 11 * second, names);
  }
  const { gaps } = traffic.wire();
  t.equal(gaps.length, 5);
  t.equal(gaps.at(-1)!.fromUs, 49 * 20 * second);
});

t.test('the beginning and the end of a gap are returned once', async (t) => {
  const { traffic, lose } = scene();
  t.equal(traffic.refresh(0, names), 'unchanged');
  lose(second, 7);
  t.equal(traffic.refresh(second, names), 'began');
  t.equal(traffic.refresh(2 * second, names), 'unchanged');
  t.equal(traffic.refresh(12 * second, names), 'ended');
  t.equal(traffic.refresh(13 * second, names), 'unchanged');
});

t.test(
  'of the interfaces that lost nothing, only those with the most unanswered connections are reported',
  async (t) => {
    const { traffic, lose } = scene();
    lose(second, 1);
    const holdings = Array.from({ length: 100 }, (_, i) => ({ interfaceIndex: i + 1, rows: 500, unanswered: i }));
    traffic.observeTable(holdings);
    traffic.refresh(second, names);
    t.same(
      traffic.wire().gaps[0]!.interfaces.map(({ index }) => index),
      [100, 99, 98, 1],
    );
  },
);
