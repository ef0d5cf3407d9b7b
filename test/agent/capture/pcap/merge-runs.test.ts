import fc from 'fast-check';
import t from 'tap';
import { Packet } from '../../../../agent/capture/decode/packet.ts';
import { mergeRuns, PacketRun } from '../../../../agent/capture/pcap/merge-runs.ts';

function run(...timesUs: number[]): PacketRun {
  const made = new PacketRun();
  made.timesUs = timesUs;
  made.packets = timesUs.map(() => new Packet('opaque'));
  return made;
}

/** `a` or `b` with the time of each packet, in the order of the merge. */
function merged(first: PacketRun, second: PacketRun, untilUs: number): string[] {
  const order: string[] = [];
  mergeRuns(
    first,
    second,
    untilUs,
    (_, timeUs) => order.push(`a${timeUs}`),
    (_, timeUs) => order.push(`b${timeUs}`),
  );
  return order;
}

t.test('packets of both directions are merged in the order of time, the first run first at equal times', async (t) => {
  t.same(merged(run(1, 4, 5), run(2, 4, 9), Number.POSITIVE_INFINITY), ['a1', 'b2', 'a4', 'b4', 'a5', 'b9']);
  t.same(merged(run(), run(3), Number.POSITIVE_INFINITY), ['b3']);
  t.same(merged(run(), run(), Number.POSITIVE_INFINITY), []);
});

t.test('packets later than the given time stay for the next merge', async (t) => {
  const [first, second] = [run(1, 4, 7), run(2, 5)];
  t.same(merged(first, second, 4), ['a1', 'b2', 'a4']);
  t.same([first.timesUs, second.timesUs], [[7], [5]]);
  t.same([first.packets.length, second.packets.length], [1, 1]);
  t.same(merged(first, second, 7), ['b5', 'a7']);
});

t.test('lastUs is the time of the last packet, and 0 for an empty run', async (t) => {
  t.equal(run(1, 4).lastUs(), 4);
  t.equal(run().lastUs(), 0);
});

t.test('merged in any steps, every packet is passed on once and in order', async () => {
  const times = fc.array(fc.nat(50), { maxLength: 20 }).map((list) => list.sort((a, b) => a - b));
  fc.assert(
    fc.property(times, times, fc.array(fc.nat(50)), (a, b, steps) => {
      const [first, second] = [run(...a), run(...b)];
      const order = [...steps.sort((x, y) => x - y), 50].flatMap((untilUs) => merged(first, second, untilUs));
      const seen = order.map((one) => Number(one.slice(1)));
      return order.length === a.length + b.length && seen.every((time, i) => i === 0 || time >= seen[i - 1]!);
    }),
  );
});
