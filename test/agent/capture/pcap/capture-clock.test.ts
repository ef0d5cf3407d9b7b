import t from 'tap';
import { CaptureClock } from '../../../../agent/capture/pcap/capture-clock.ts';

const second = 1_000_000;
const day = 86_400 * second;
const start = 20_000 * day;

/** Runs the clock over the times as `waybill replay` does; returns its time for each. */
function run(clock: CaptureClock, times: readonly number[]): number[] {
  const shown: number[] = [];
  let held: number | undefined;
  for (const time of times) {
    if (held !== undefined) shown.push(clock.resolve(held, time));
    held = undefined;
    if (clock.isJump(time)) held = time;
    else shown.push(clock.advance(time));
  }
  if (held !== undefined) shown.push(clock.resolve(held, undefined));
  return shown;
}

const seconds = (...values: number[]) => values.map((one) => start + one * second);

t.test('it goes on with the packets, and packets that are a little out of order keep their time', async (t) => {
  const clock = new CaptureClock();
  t.same(run(clock, seconds(0, 1, 3, 2, 33, 4)), seconds(0, 1, 3, 2, 33, 4));
  t.equal(clock.nowUs, start + 33 * second);
  t.same(clock.counts, { setBack: 0, outliers: 0 });
});

t.test('a gap is time that passed', async (t) => {
  const clock = new CaptureClock();
  const times = seconds(0, 300, 600, 5000, 200_000, 200_001);
  t.same(run(clock, times), times);
  t.equal(clock.packetTime(start + 300 * second), start + 300 * second);
  t.same(clock.counts, { setBack: 0, outliers: 0 });
});

t.test('a single packet with a wrong time gets that of the packet before', async (t) => {
  for (const wrong of [start + 365 * day, start - 365 * day, 0]) {
    const clock = new CaptureClock();
    const shown = run(clock, [...seconds(0, 1), wrong, ...seconds(2, 3)]);
    t.same(shown, seconds(0, 1, 1, 2, 3));
    t.equal(clock.nowUs, start + 3 * second);
    t.same(clock.counts, { setBack: 0, outliers: 1 });
  }
});

t.test('a clock that is set back goes on, and the packets’ own times are known', async (t) => {
  const clock = new CaptureClock();
  const times = [...seconds(86_400, 86_401), ...seconds(0, 1, 301, 302)];
  const shown = run(clock, times);
  t.ok(
    shown.every((one, i) => i === 0 || one > shown[i - 1]!),
    'it never goes back',
  );
  t.equal(shown[4]! - shown[3]!, 300 * second, 'time passes as before');
  t.same(
    shown.map((one) => clock.packetTime(one)),
    times,
  );
  t.same(clock.counts, { setBack: 1, outliers: 0 });
});

t.test('a clock that is set back and returns does not run away', async (t) => {
  const clock = new CaptureClock();
  const times: number[] = [];
  for (let i = 0; i < 1000; i++) {
    const from = i % 2 === 0 ? i : i - 100_000;
    times.push(start + from * second, start + (from + 0.5) * second);
  }
  const shown = run(clock, times);
  t.ok(
    shown.every((one, i) => i === 0 || one >= shown[i - 1]!),
    'it never goes back',
  );
  t.ok(clock.nowUs - start < 1000 * 62 * second, 'at most a minute for each time it was set');
  t.equal(clock.packetTime(shown.at(-1)!), times.at(-1));
});

t.test('a first packet with a wrong time does not matter', async (t) => {
  const clock = new CaptureClock();
  const times = [start + 365 * day, ...seconds(0, 1, 61, 62)];
  const shown = run(clock, times);
  t.equal(shown[4]! - shown[1]!, 62 * second);
  t.equal(shown.map((one) => clock.packetTime(one)).at(-1), start + 62 * second);
});
