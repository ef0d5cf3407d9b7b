// `make demo` shows a finding of each kind with its explanation, none for declared traffic, and leaves nothing behind.
import { execFile } from 'node:child_process';
import t from 'tap';
import { removeLeftovers } from '../../lab/system/leftovers.ts';

const demo = new URL('../../lab/demo.ts', import.meta.url).pathname;

t.test('the demo shows a finding of each kind with its explanation', async (t) => {
  const { code, out } = await new Promise<{ code: number | null; out: string }>((resolve) => {
    const child = execFile(process.execPath, [demo], (_, stdout, stderr) =>
      resolve({ code: child.exitCode, out: stdout + stderr }),
    );
  });
  t.equal(code, 0, out);
  for (const [kind, explanation] of [
    ['critical +bypass +shop/web +shop/db', 'is denied by policy, and the network delivered it'],
    ['medium +blocked +shop/batch +shop/vault', 'is denied by policy, and the network did not deliver it'],
    ['high +undeclared +shop/batch .*internet.* egress', 'leaves the cluster, and no policy covers it'],
    ['medium +undeclared +shop/batch +shop/cart .* cross-node', 'crosses from node-a to node-b'],
    ['low +broken +shop/web +shop/payments', 'is allowed by policy, but the network did not deliver it'],
  ] as const) {
    t.match(out, new RegExp(`^${kind}.*\\n.*${explanation}`, 'm'), kind);
  }
  t.match(out, 'no finding for: declared');
  t.match(out, 'Nothing is left running.');
  t.same(await removeLeftovers(), [], 'nothing is left');
});
