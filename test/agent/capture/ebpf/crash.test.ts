import { execFileSync } from 'node:child_process';
import t from 'tap';
import type { Crash } from './crash.ts';
import type { Left } from './left.ts';

const run = (script: string) => {
  const words = ['-n', '--kill-child', process.execPath, new URL(script, import.meta.url).pathname];
  return JSON.parse(execFileSync('unshare', words, { encoding: 'utf8' }));
};
const none = { tcx: 0, clsact: 0, sockets: 0 };

t.test('a crash leaves nothing that the next start does not take away', async (t) => {
  const crashes: Crash[] = run('crash.ts');
  for (const { kind, held, killed, again, ended } of crashes) {
    const one = { ...none, [kind === 'tap' ? 'sockets' : kind]: 1 };
    t.same(held, one, `${kind}: attached`);
    t.same(
      killed,
      kind === 'clsact' ? one : none,
      `${kind}: after the kill; only a filter of clsact outlives its process`,
    );
    t.same(again, one, `${kind}: the next start stands there alone`);
    t.same(ended, none, `${kind}: and takes all away at its end`);
  }
  t.equal(crashes.length, 3);
});

t.test('filters of clsact that a crash left go with the next agent, whatever its source', async (t) => {
  const all: Left[] = run('left.ts');
  const gone = { held: 2, killed: 2, watched: 0, ended: 0 };
  t.same(all, [
    // From the pod its own; towards it somebody else filters.
    { next: 'ebpf at clsact', ...gone, watched: 1 },
    { next: 'ebpf at TCX', ...gone },
    { next: 'tap', ...gone },
    { next: 'pcap', ...gone },
  ]);
});
