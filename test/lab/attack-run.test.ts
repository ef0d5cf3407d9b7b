// `make attack` prints one line for each attack and the counts at the end, and leaves nothing behind.
import { execFile } from 'node:child_process';
import t from 'tap';
import { removeLeftovers } from '../../lab/system/leftovers.ts';

const attack = new URL('../../lab/attack.ts', import.meta.url).pathname;

function run(...args: string[]): Promise<{ code: number | null; lines: string[] }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [attack, ...args], (_, stdout) =>
      resolve({ code: child.exitCode, lines: stdout.trimEnd().split('\n') }),
    );
  });
}

t.test('an attack that Waybill reports passes, and nothing is left', async (t) => {
  const { code, lines } = await run('--only', 'SYN with an address of nobody');
  t.match(lines, [
    /^passed {2}honest traffic without an attack \(/,
    /^passed {2}SYN with an address of nobody \(/,
    /^passed {2}honest traffic after all attacks: \d+ connections, and every packet \(/,
    '3 passed, 0 failed, 0 skipped',
  ]);
  t.equal(code, 0);
  t.same(await removeLeftovers(), []);
});

t.test('a selection that no attack matches fails', async (t) => {
  const { code, lines } = await run('--only', 'no such attack');
  t.same(lines, ['0 passed, 0 failed, 0 skipped']);
  t.equal(code, 1);
});
