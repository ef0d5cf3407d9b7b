// How the process of the agent starts.
import { spawnSync } from 'node:child_process';
import t from 'tap';

const commandLine = new URL('../../cli/waybill.ts', import.meta.url).pathname;
/** Each process that starts reports itself before anything else. */
const reportProcess = `data:text/javascript,${encodeURIComponent(
  'process.stderr.write(JSON.stringify({ pid: process.pid, flags: process.execArgv, cache: process.env.NODE_COMPILE_CACHE }) + "\\n")',
)}`;

function startWaybill(words: readonly string[], env: Record<string, string> = {}) {
  const { NODE_COMPILE_CACHE: _, ...inherited } = process.env;
  const { stderr, stdout, status } = spawnSync(process.execPath, ['--import', reportProcess, commandLine, ...words], {
    encoding: 'utf8',
    env: { ...inherited, ...env },
  });
  const lines = stderr.split('\n').filter((line) => line.startsWith('{'));
  return { stdout, status, processes: lines.map((line) => JSON.parse(line) as { pid: number; flags: string[] }) };
}

t.test('the agent restarts itself once with memory flags, and keeps its process id', async (t) => {
  const { stdout, status, processes } = startWaybill(['agent', '--help']);
  t.equal(status, 0);
  t.match(stdout, /Run the agent of a node/);
  t.equal(processes.length, 2);
  t.equal(new Set(processes.map(({ pid }) => pid)).size, 1);
  t.ok(processes[1]!.flags.includes('--max-semi-space-size=1'));
  t.match(processes[1], { cache: /node_modules\/\.cache\/compiled$/ });
});

t.test('variables that the user has set are kept', async (t) => {
  const folder = t.testdir();
  t.match(startWaybill(['agent', '--help'], { NODE_COMPILE_CACHE: folder }).processes[1], { cache: folder });
});

t.test('other verbs do not restart themselves', async (t) => {
  t.equal(startWaybill(['status', '--help']).processes.length, 1);
});
