// Pods come and go within seconds: their interfaces are watched soon, and no packet is lost when they go.
import { execFile } from 'node:child_process';
import t from 'tap';
import type { Round } from './come-and-go.ts';

const script = new URL('come-and-go.ts', import.meta.url).pathname;
const rounds = 5;
const lastPackets = 50;

function comeAndGo(source: string): Promise<Round[]> {
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  const words = [unshare, '--kill-child', process.execPath, script, source, String(rounds)];
  return new Promise((resolve, reject) => {
    execFile('unshare', words, { timeout: 120_000 }, (error, stdout) => {
      if (error === null) resolve(JSON.parse(stdout) as Round[]);
      else reject(error);
    });
  });
}

for (const source of ['ebpf', 'tap']) {
  t.test(`${source}: a pod's interface is watched within a second, and drained before it is forgotten`, async (t) => {
    for (const { seenMs, reportedMs, ended } of await comeAndGo(source)) {
      t.ok(seenMs < 1_000, `the first packet was seen ${Math.round(seenMs)} ms after the link was up`);
      t.comment(`its record was reported after ${Math.round(reportedMs)} ms`);
      t.equal(
        ended,
        lastPackets,
        'every packet sent just before the end is in a record, and every connection is marked ended',
      );
    }
  });
}
