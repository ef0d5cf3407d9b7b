// Our programs do not change the packets of a connection: they arrive as they do without them.
import { execFile } from 'node:child_process';
import t from 'tap';

const script = new URL('transfer.ts', import.meta.url).pathname;

function transferred(source: string): Promise<string> {
  const unshare = process.getuid?.() === 0 ? '-n' : '-rn';
  return new Promise((resolve, reject) => {
    execFile(
      'unshare',
      [unshare, '--kill-child', process.execPath, script, source],
      { timeout: 30_000 },
      (error, out) => (error === null ? resolve(out) : reject(error)),
    );
  });
}

t.test(
  'TCP and UDP packets arrive unaltered and unmarked in both directions, with ebpf, tap, and no program',
  async (t) => {
    const without = await transferred('none');
    t.match(
      without,
      /^\d+ bytes there, \d+ bytes back, [0-9a-f]{64}, 200 datagrams, [0-9a-f]{64}, 0 altered of many, 0 altered of many\n$/,
    );
    for (const source of ['ebpf', 'tap']) t.equal(await transferred(source), without, source);
  },
);

t.test('the test notices a mark on packets', async (t) => {
  t.match(await transferred('marking'), /, [1-9]\d* altered of many, 0 altered of many\n$/);
});
