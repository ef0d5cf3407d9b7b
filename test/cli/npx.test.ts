// `npx waybill` in the repository's root is the command line, as scripts have it (docs/json.md): by the pinned Node.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { version } from '../../cli/waybill.ts';

t.test('npx waybill says its version, and npm nothing', async (t) => {
  const root = new URL('../..', import.meta.url).pathname;
  const { stdout, stderr } = await promisify(execFile)('npx', ['--no-install', 'waybill', '--version'], { cwd: root });
  t.equal(stdout, `${version()}\n`);
  t.equal(stderr, '');
});
