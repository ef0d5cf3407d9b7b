// The kernel takes the times of packets for libpcap from the wall clock. Setting it changes no record.
import { execFileSync } from 'node:child_process';
import t from 'tap';
import type { SetClock } from './set-clock.ts';

const script = new URL('set-clock.ts', import.meta.url).pathname;
const hourMs = 3_600_000;
const stepsMs = [-hourMs, -30_000, -1_000, -150, 150, 1_000, 30_000, hourMs];

t.test('packets have their true times before and after the clock of the node is set', async (t) => {
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const words = [unshare, '--kill-child', process.execPath, script, ...stepsMs.map(String)];
  const sent = JSON.parse(execFileSync('unshare', words, { encoding: 'utf8', timeout: 60_000 })) as SetClock;
  t.equal(sent.length, 2 * stepsMs.length);
  for (const { port, sentUs, times } of sent) {
    t.ok(times.length > 0, `the packets to port ${port} are in a record`);
    for (const { firstUs, lastUs, ended } of times) {
      const errorsUs = [firstUs - sentUs, lastUs - sentUs];
      t.ok(
        errorsUs.every((us) => Math.abs(us) < 100_000),
        `${port}: ${errorsUs.join(' and ')} µs after they were sent`,
      );
      t.equal(ended, false);
    }
  }
});
