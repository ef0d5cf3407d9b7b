// With our programs on both sides of a connection its packets come out at the other end as they do without.
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

t.test('TCP and UDP, both directions: the same bytes, unmarked, with ebpf, with tap, and without', async (t) => {
  const without = await transferred('none');
  t.match(
    without,
    /^\d+ bytes there, \d+ bytes back, [0-9a-f]{64}, 200 datagrams, [0-9a-f]{64}, 0 altered of many, 0 altered of many\n$/,
  );
  for (const source of ['ebpf', 'tap']) t.equal(await transferred(source), without, source);
});

t.test('a mark would be noticed', async (t) => {
  t.match(await transferred('marking'), /, [1-9]\d* altered of many, 0 altered of many\n$/);
});
