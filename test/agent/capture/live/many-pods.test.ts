// Each pod has its share, also if there are more pods than the kernel's table was first divided for.
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { withoutNamespaces } from '../../../scene/pod-link.ts';
import type { ManyPods } from './many-pods.ts';

const script = new URL('many-pods.ts', import.meta.url).pathname;
const pods = 80;

for (const source of ['ebpf', 'tap']) {
  t.test(
    `${source}: one of ${pods} pods floods, and each of the others has its records`,
    {
      skip: withoutNamespaces,
    },
    async (t) => {
      const words = ['-n', '--kill-child', process.execPath, script, source, String(pods)];
      const { complete, synsRecorded } = JSON.parse(
        execFileSync('unshare', words, { timeout: 120_000 }).toString(),
      ) as ManyPods;
      t.equal(complete, pods - 1);
      t.ok(synsRecorded < 25_000, `${synsRecorded} SYNs have a record, so the table was full`);
    },
  );
}
