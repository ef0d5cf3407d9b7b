// The kernel's times on our clock.
import t from 'tap';
import { KernelClock } from '../../../../agent/capture/ebpf/kernel-clock.ts';
import { second, t0 } from '../../../scene/records.ts';

/** Our clock shows t0 when the kernel's shows 0. The kernel's is read `earlyUs` after one reading and `lateUs` before the other. */
const reading = (us: number, earlyUs: number, lateUs: number, setBackUs = 0) => ({
  monotonicNs: us * 1000,
  beforeUs: t0 + us - earlyUs - setBackUs,
  afterUs: t0 + us + lateUs - setBackUs,
});

t.test('the same moment has the same time after each reading, however long one takes', async (t) => {
  const clock = new KernelClock(reading(0, 5, 7));
  const before = clock.usOfNs(1_000_000);
  for (const [i, [earlyUs, lateUs]] of [
    [900, 2],
    [3, 800],
    [1, 40_000],
    [1, 1],
  ].entries()) {
    clock.update(reading((i + 1) * second, earlyUs!, lateUs!));
    t.equal(clock.usOfNs(1_000_000), before);
  }
  t.ok(Math.abs(before - (t0 + 1000)) <= 6);
});

t.test('a first reading that took long is corrected', async (t) => {
  const clock = new KernelClock(reading(0, 0, 40_000));
  clock.update(reading(second, 2, 2));
  t.ok(Math.abs(clock.usOfNs(0) - t0) <= 2);
});

t.test('if our clock is set, or the machine is suspended, times before that stay as they were', async (t) => {
  for (const jumpUs of [30 * second, -3600 * second]) {
    const clock = new KernelClock(reading(0, 1, 1));
    clock.update(reading(second, 1, 1));
    for (const s of [2, 3]) {
      clock.update(reading(s * second, 1, 1, -jumpUs));
      t.equal(clock.usOfNs(0.9e9), t0 + 0.9 * second);
      t.ok(Math.abs(clock.usOfNs(1.1e9) - (t0 + 1.1 * second + jumpUs)) <= 2);
    }
  }
});
