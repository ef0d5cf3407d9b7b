import { execFileSync } from 'node:child_process';
import t from 'tap';
import type { Crash } from './crash.ts';

const words = ['-n', '--kill-child', process.execPath, new URL('crash.ts', import.meta.url).pathname];
const none = { tcx: 0, clsact: 0, sockets: 0 };

t.test('a crash leaves nothing that the next start does not take away', async (t) => {
  const crashes: Crash[] = JSON.parse(execFileSync('unshare', words, { encoding: 'utf8' }));
  for (const { way, held, killed, again, ended } of crashes) {
    const one = { ...none, [way === 'tap' ? 'sockets' : way]: 1 };
    t.same(held, one, `${way}: attached`);
    t.same(
      killed,
      way === 'clsact' ? one : none,
      `${way}: after the kill; only a filter of clsact outlives its process`,
    );
    t.same(again, one, `${way}: the next start stands there alone`);
    t.same(ended, none, `${way}: and takes all away at its end`);
  }
  t.equal(crashes.length, 3);
});
