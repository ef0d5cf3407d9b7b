// `npx waybill` in the root of the repository runs the command line with the pinned Node (docs/json.md).
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { version } from '../../cli/waybill.ts';

t.test('npx waybill --version prints only the version', async (t) => {
  const root = new URL('../..', import.meta.url).pathname;
  const { stdout, stderr } = await promisify(execFile)('npx', ['--no-install', 'waybill', '--version'], { cwd: root });
  t.equal(stdout, `${version()}\n`);
  t.equal(stderr, '');
});
