// Pods come and go within seconds: what is theirs is watched soon, and none of it is lost when they go.
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
    for (const { seenMs, toldMs, ended } of await comeAndGo(source)) {
      t.ok(seenMs < 1_000, `the first packet that was seen came ${Math.round(seenMs)} ms after the link was up`);
      t.comment(`its record was handed over after ${Math.round(toldMs)} ms`);
      t.equal(ended, lastPackets, 'every packet of the last moment is told, and every connection ended');
    }
  });
}
