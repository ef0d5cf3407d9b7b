// A pod with 60,000 answered connections keeps them all while another pod floods: the flood gets what is left.
import { execFile } from 'node:child_process';
import t from 'tap';
import { withoutNamespaces } from '../../../scene/pod-link.ts';
import type { Busy } from './busy.ts';

const script = new URL('busy.ts', import.meta.url).pathname;

function run(source: string): Promise<Busy> {
  const words = ['-n', '--kill-child', process.execPath, script, source];
  return new Promise((resolve, reject) => {
    execFile('unshare', words, { timeout: 240_000 }, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as Busy);
      else reject(error);
    });
  });
}

for (const source of ['ebpf', 'tap']) {
  t.test(`${source}: a busy pod keeps its connections during a flood`, { skip: withoutNamespaces }, async (t) => {
    const { connections, ended, packets, lost, floodLost } = await run(source);
    t.equal(connections, 60_000, 'each is one connection from its beginning to its end');
    t.equal(ended, 60_000);
    t.equal(packets, 5 * 60_000);
    t.equal(lost, 0);
    t.ok(floodLost > 100_000, `${floodLost} SYNs of the flood have no record`);
  });
}
