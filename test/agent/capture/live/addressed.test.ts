// A packet at a pod's interface that is addressed to another host at link level is no observation, with every source.
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { sourceNames } from '../../../../agent/capture/choose.ts';
import { withoutNamespaces } from '../../../scene/pod-link.ts';
import type { Addressed } from './addressed.ts';

const script = new URL('addressed.ts', import.meta.url).pathname;

for (const source of sourceNames) {
  t.test(`${source}: packets for other hosts are counted and in no record`, { skip: withoutNamespaces }, async (t) => {
    const out = execFileSync('unshare', ['-n', '--kill-child', process.execPath, script, source], { timeout: 30_000 });
    const { passed, seen, ignored, lost, records } = JSON.parse(out.toString()) as Addressed;
    t.equal(seen, passed, 'every packet is accounted for');
    t.same(ignored, { 'not-ip': 1, 'not-ours': 4 });
    t.same(lost, {});
    t.same(records, [
      { port: 1, packets: 1, unproven: false },
      { port: 3, packets: 1, unproven: true },
      { port: 4, packets: 1, unproven: false },
      { port: 5, packets: 1, unproven: false },
      { port: 7, packets: 1, unproven: false },
      { port: 8, packets: 1, unproven: false },
    ]);
  });
}
