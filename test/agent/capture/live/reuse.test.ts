// A pod that begins connections on the same ports again and again does not displace those of another pod.
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { withoutNamespaces } from '../../../scene/pod-link.ts';
import type { Reused } from './reuse.ts';

const script = new URL('reuse.ts', import.meta.url).pathname;

for (const source of ['ebpf', 'tap']) {
  t.test(
    `${source}: reused ports of one pod take their part of the ring only`,
    { skip: withoutNamespaces },
    async (t) => {
      const out = execFileSync('unshare', ['-n', '--kill-child', process.execPath, script, source], {
        timeout: 60_000,
      });
      const { honest, lost, summed } = JSON.parse(out.toString()) as Reused;
      t.same(honest, [1_000, 2_000, 3_000], 'each connection of the other pod has a record');
      t.same(Object.keys(lost), ['ring-full']);
      t.ok(lost['ring-full']! > 50_000, `${lost['ring-full']} SYNs have no record`);
      t.same(summed, { 'attacker ring-full 1 6 80': lost['ring-full'] });
    },
  );
}
