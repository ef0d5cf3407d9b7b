import { execFileSync } from 'node:child_process';
import t from 'tap';
import type { Crash } from './crash.ts';
import type { Left } from './left.ts';

const run = (script: string) => {
  const words = ['-n', '--kill-child', process.execPath, new URL(script, import.meta.url).pathname];
  return JSON.parse(execFileSync('unshare', words, { encoding: 'utf8' }));
};
const none = { tcx: 0, clsact: 0, sockets: 0 };

t.test('after a crash the next start removes everything that is left', async (t) => {
  const crashes: Crash[] = run('crash.ts');
  for (const { kind, held, killed, again, ended } of crashes) {
    const one = { ...none, [kind === 'tap' ? 'sockets' : kind]: 1 };
    t.same(held, one, `${kind}: attached`);
    t.same(killed, kind === 'clsact' ? one : none, `${kind}: after the kill only a clsact filter is left`);
    t.same(again, one, `${kind}: after the next start only its own program is attached`);
    t.same(ended, none, `${kind}: nothing is left at its end`);
  }
  t.equal(crashes.length, 3);
});

t.test('the next agent removes clsact filters that a crash left, whatever its source', async (t) => {
  const all: Left[] = run('left.ts');
  const gone = { held: 2, killed: 2, watched: 0, ended: 0 };
  t.same(all, [
    // From the pod it has its own filter; towards the pod another program filters.
    { next: 'ebpf at clsact', ...gone, watched: 1 },
    { next: 'ebpf at TCX', ...gone },
    { next: 'tap', ...gone },
    { next: 'pcap', ...gone },
  ]);
});
