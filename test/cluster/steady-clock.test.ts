import t from 'tap';
import { SteadyClock, steadyClockOfKernel } from '../../cluster/steady-clock.ts';
import { HandKernelClocks } from '../scene/kernel-clocks.ts';

const hourMs = 3_600_000;
const stepsMs = [-hourMs, -30_000, -1_000, -150, -60, 60, 150, 1_000, 30_000, hourMs];
/** The wall clock has whole milliseconds. */
const toleranceUs = 2_000;

function scene() {
  const kernel = new HandKernelClocks();
  const steps: number[] = [];
  const clock = new SteadyClock(kernel, (stepUs) => steps.push(stepUs));
  return { kernel, clock, steps };
}

t.test('setting the wall clock does not change it, and the step is known at once', async (t) => {
  for (const stepMs of stepsMs) {
    const { kernel, clock, steps } = scene();
    kernel.pass(1_234.5);
    kernel.setWall(stepMs);
    t.equal(clock.nowUs(), kernel.trueUs, `${stepMs} ms`);
    t.ok(Math.abs(clock.wallOffsetUs - stepMs * 1000) <= toleranceUs, `${stepMs} ms: ${clock.wallOffsetUs}`);
    t.equal(steps.length, 1);
  }
});

t.test('it goes on with the clock of a former run, which has a difference to the wall clock', async (t) => {
  const kernel = new HandKernelClocks();
  const offsetUs = -hourMs * 1000;
  const clock = new SteadyClock(kernel, () => t.fail('a step'), offsetUs);
  kernel.pass(1_000);
  t.equal(clock.nowUs(), kernel.trueUs - offsetUs);
  t.equal(clock.wallOffsetUs, offsetUs);
  t.equal(clock.fromWallUs(kernel.stampUs), kernel.trueUs - offsetUs);
});

t.test('many steps add up, and a step back to the right time makes the offset 0 again', async (t) => {
  const { kernel, clock, steps } = scene();
  for (const stepMs of [...stepsMs, ...stepsMs]) {
    kernel.setWall(stepMs);
    kernel.pass(777);
    t.equal(clock.nowUs(), kernel.trueUs);
  }
  t.ok(Math.abs(clock.wallOffsetUs) <= toleranceUs);
  t.equal(steps.length, 2 * stepsMs.length);
});

t.test('time in which the machine was suspended counts, and is no step', async (t) => {
  for (const ms of [150, 30_000, 8 * hourMs]) {
    const { kernel, clock, steps } = scene();
    kernel.pass(5_000);
    kernel.suspend(ms);
    kernel.pass(10);
    t.ok(Math.abs(clock.nowUs() - kernel.trueUs) <= toleranceUs, `${ms} ms`);
    t.same([clock.wallOffsetUs, steps], [0, []]);
  }
});

t.test('a suspended machine whose wall clock is set when it resumes', async (t) => {
  for (const stepMs of stepsMs.filter((ms) => Math.abs(ms) >= 150)) {
    const { kernel, clock, steps } = scene();
    kernel.suspend(60_000);
    kernel.setWall(stepMs);
    t.ok(Math.abs(clock.nowUs() - kernel.trueUs) <= toleranceUs, `${stepMs} ms`);
    t.ok(Math.abs(clock.wallOffsetUs - stepMs * 1000) <= toleranceUs, `${stepMs} ms: ${clock.wallOffsetUs}`);
    t.equal(steps.length, 1);
  }
});

t.test('a packet that the kernel stamped with the wall clock has the right time before and after a step', async (t) => {
  for (const stepMs of stepsMs) {
    const { kernel, clock } = scene();
    for (let round = 0; round < 5; round++) {
      const packets: { stampUs: number; trueUs: number }[] = [];
      for (let i = 0; i < 20; i++) {
        kernel.pass(1.5);
        if (i === 10) kernel.setWall(round % 2 === 0 ? stepMs : -stepMs);
        packets.push({ stampUs: kernel.stampUs, trueUs: kernel.trueUs });
      }
      // The agent reads them together, a moment later.
      kernel.pass(0.5);
      for (const { stampUs, trueUs } of packets) {
        const errorUs = Math.abs(clock.fromWallUs(stampUs) - trueUs);
        if (errorUs > 45_000) t.fail(`${stepMs} ms, round ${round}: ${errorUs} µs`);
      }
      kernel.pass(2_500);
    }
    t.pass(`${stepMs} ms`);
  }
});

t.test('a packet that was read right away after a step has an exact time', async (t) => {
  for (const stepMs of stepsMs) {
    const { kernel, clock } = scene();
    clock.fromWallUs(kernel.stampUs);
    kernel.pass(3_000);
    kernel.setWall(stepMs);
    const errorUs = Math.abs(clock.fromWallUs(kernel.stampUs) - kernel.trueUs);
    t.ok(errorUs <= 10_000, `${stepMs} ms: ${errorUs} µs`);
  }
});

t.test('the time of a packet is never in the future', async (t) => {
  const { kernel, clock } = scene();
  kernel.pass(1_000);
  t.ok(clock.fromWallUs(kernel.stampUs + 3_600_000_000) <= kernel.trueUs);
});

t.test('the clocks of this machine agree', async (t) => {
  const clock = steadyClockOfKernel((stepUs) => t.fail(`a step of ${stepUs} µs`));
  t.ok(Math.abs(clock.nowUs() - Date.now() * 1000) < 1_000_000);
  t.equal(clock.wallOffsetUs, 0);
});
