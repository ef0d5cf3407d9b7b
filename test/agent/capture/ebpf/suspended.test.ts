// The kernel's clock and ticks stop while the machine is suspended. Rows that are read after that have the right times.
import { execFileSync } from 'node:child_process';
import t from 'tap';
import type { Suspended } from './suspended.ts';

const script = new URL('suspended.ts', import.meta.url).pathname;
/** A tick of the kernel, and the time until a frame is sent. */
const toleranceUs = 100_000;

for (const source of ['ebpf', 'tap']) {
  t.test(`${source}: packets from before a suspension keep their times`, async (t) => {
    const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
    const out = execFileSync('unshare', [unshare, '--kill-child', process.execPath, script, source], {
      timeout: 60_000,
    });
    const { sentUs, times } = JSON.parse(out.toString()) as Suspended;
    t.equal(Object.keys(times).length, 3);
    for (const [port, atUs] of Object.entries(sentUs)) {
      const { firstUs, lastUs } = times[Number(port)]!;
      t.ok(Math.abs(firstUs - atUs) < toleranceUs, `${port}: first packet ${firstUs - atUs} µs after it was sent`);
      t.ok(Math.abs(lastUs - atUs) < toleranceUs, `${port}: last packet ${lastUs - atUs} µs after it was sent`);
    }
  });
}
