import t from 'tap';
import { VisibilityTracker } from '../../../agent/capture/visibility.ts';
import { UDP } from '../../../model/protocol.ts';
import { ACK, type ConnectionRecord, RST, SYN } from '../../../model/record.ts';
import { answered, atDestination, record } from '../../scene/records.ts';

/** At the responder's interface, without the packets to the pod. */
const redirected: Partial<ConnectionRecord> = {
  packets: { forward: 0, reverse: 3 },
  tcpFlags: { forward: 0, reverse: SYN | ACK },
};

function visibilityOf(...records: ConnectionRecord[]) {
  const tracker = new VisibilityTracker();
  tracker.watch(7);
  for (const one of records) tracker.observe({ ...one, interfaceIndex: 7 });
  return tracker.at(7);
}

function times(count: number, one: ConnectionRecord): ConnectionRecord[] {
  return Array.from({ length: count }, () => one);
}

const both = { fromPod: true, toPod: true, gapFreeSinceUs: 0 };

t.test('both directions are seen until traffic proves otherwise', async (t) => {
  t.same(visibilityOf(), both);
  t.same(visibilityOf(...times(100, answered()), ...times(100, atDestination(answered()))), both);
  t.same(visibilityOf(...times(100, record())), both, 'a SYN does not prove an answer');
});

t.test('answers of a responder without a seen SYN prove that packets to the pod are not seen', async (t) => {
  const half = { ...atDestination(answered()), ...redirected };
  t.same(visibilityOf(...times(3, half)), both);
  t.same(visibilityOf(...times(4, half)), { ...both, toPod: false });
});

t.test('acknowledgements of an initiator without a seen answer prove the same', async (t) => {
  const half = answered({ packets: { forward: 2, reverse: 0 }, tcpFlags: { forward: SYN | ACK, reverse: 0 } });
  t.same(visibilityOf(...times(4, half)), { ...both, toPod: false });
});

t.test('probes from the node and UDP do not hide that packets to the pod are not seen', async (t) => {
  const half = { ...atDestination(answered()), ...redirected };
  const probes = times(100, atDestination(answered()));
  const echoes = times(100, atDestination(record({ protocol: UDP })));
  t.same(visibilityOf(...probes, ...echoes, ...times(4, half)), { ...both, toPod: false });
});

t.test('a few handshakes split over two records prove nothing', async (t) => {
  const half = { ...atDestination(answered()), ...redirected };
  t.same(visibilityOf(...times(1000, atDestination(answered())), ...times(10, half)), both);
});

t.test(
  'acknowledgements on long-lived connections without a packet of the other side prove it in either direction',
  async (t) => {
    const answers = (packets: { forward: number; reverse: number }) =>
      record({ initiatorBy: 'inferred', packets, tcpFlags: { forward: ACK, reverse: packets.reverse > 0 ? ACK : 0 } });
    t.same(visibilityOf(answers({ forward: 15, reverse: 0 })), both);
    t.same(visibilityOf(answers({ forward: 16, reverse: 0 })), { ...both, toPod: false });
    t.same(visibilityOf(answers({ forward: 0, reverse: 16 })), { ...both, fromPod: false });
    const reset = record({ packets: { forward: 0, reverse: 16 }, tcpFlags: { forward: 0, reverse: ACK | RST } });
    t.same(visibilityOf(reset), both, 'resets do not prove it');
  },
);

t.test('an interface that is gone is forgotten', async (t) => {
  const tracker = new VisibilityTracker();
  const half = { ...atDestination(answered()), ...redirected, interfaceIndex: 7 };
  tracker.watch(7);
  for (let i = 0; i < 4; i++) tracker.observe(half);
  t.same(tracker.at(7), { ...both, toPod: false });
  tracker.forget(7);
  tracker.observe(half);
  t.same(tracker.at(7), both, 'its last records are ignored too');
});

t.test('a gap is reported with its end, until the interface is gone', async (t) => {
  const tracker = new VisibilityTracker();
  tracker.watch(7);
  tracker.recordGap(7, 5_000_000);
  t.same(tracker.at(7), { ...both, gapFreeSinceUs: 5_000_000 });
  tracker.forget(7);
  tracker.recordGap(7, 6_000_000);
  t.same(tracker.at(7), both);
});
