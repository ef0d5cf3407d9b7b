import t from 'tap';
import { CaptureClock, maxPacketsAhead } from '../../../../agent/capture/pcap/capture-clock.ts';
import { HeldPackets } from '../../../../agent/capture/pcap/held-packets.ts';

const second = 1_000_000;
const day = 86_400 * second;
const start = 20_000 * day;

/** Runs the clock over the times of files as `waybill replay` does; returns its time for each. */
function run(clock: CaptureClock, ...files: (readonly number[])[]): number[] {
  const shown: number[] = [];
  const held = new HeldPackets(clock, (_, clockUs) => shown.push(clockUs));
  for (const times of files)
    for (const [at, timeUs] of times.entries()) {
      if (held.mustHold(timeUs)) held.add({ timeUs, isFirstOfFile: at === 0 });
      else shown.push(clock.advance(timeUs));
    }
  held.end();
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

t.test('a few packets with a wrong time get that of the packet before', async (t) => {
  for (const wrong of [start + 365 * day, start - 365 * day])
    for (let count = 1; count <= maxPacketsAhead; count++) {
      const clock = new CaptureClock();
      const strays = Array.from({ length: count }, (_, i) => wrong + i * second);
      const shown = run(clock, [...seconds(0, 1), ...strays, ...seconds(2, 3)]);
      t.same(shown, seconds(0, 1, ...strays.map(() => 1), 2, 3));
      t.same(clock.counts, { setBack: 0, outliers: count });
    }
});

t.test('packets with a wrong time that are far from one another get that of the packet before', async (t) => {
  const clock = new CaptureClock();
  const shown = run(clock, [...seconds(0, 1), start + 365 * day, start - 365 * day, 0, ...seconds(2, 3)]);
  t.same(shown, seconds(0, 1, 1, 1, 1, 2, 3));
  t.same(clock.counts, { setBack: 0, outliers: 3 });
});

t.test('more packets with another time than are held show that the clock was set', async (t) => {
  const clock = new CaptureClock();
  const other = Array.from({ length: maxPacketsAhead + 1 }, (_, i) => start + 365 * day + i * second);
  const shown = run(clock, [...seconds(0, 1), ...other, ...seconds(2, 3)]);
  t.same(shown.slice(0, -2), [...seconds(0, 1), ...other]);
  t.same(clock.counts, { setBack: 1, outliers: 0 });
});

t.test('files of the same time are no clock that was set, and their packets have the right time', async (t) => {
  const clock = new CaptureClock();
  const shown = run(clock, seconds(0, 1, 300, 301), seconds(0, 1, 300, 301), seconds(1, 2, 301), seconds(302, 303));
  t.same(clock.counts, { setBack: 0, outliers: 0 });
  t.same(
    shown.map((one) => clock.packetTime(one)),
    seconds(0, 1, 300, 301, 0, 1, 300, 301, 1, 2, 301, 302, 303),
  );
});

t.test('a clock that is set very often: late times are exact, and early times are off by one setting', async (t) => {
  const clock = new CaptureClock();
  const times = Array.from({ length: 10_050 }, (_, i) => start - i * 100 * second);
  const shown = run(clock, times);
  t.equal(clock.counts.setBack, 10_049);
  const off = shown.map((one, i) => Math.abs(clock.packetTime(one) - times[i]!));
  t.ok(Math.max(...off.slice(0, 5100)) <= 161 * second, 'the step and the minute that setting it takes');
  t.ok(Math.max(...off.slice(5100)) === 0);
});
